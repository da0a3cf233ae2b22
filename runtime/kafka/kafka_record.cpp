#include "kafka/kafka_record.hpp"

#include <charconv>
#include <fmt/format.h>

namespace pulse::kafka {

namespace {

template <class Number>
bool read_number(std::string_view text, Number& out) {
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), out);
  return problem == std::errc{} && end == text.data() + text.size();
}

std::optional<std::string_view> header(const rd_kafka_headers_t* all, const char* name) {
  const void* value = nullptr;
  std::size_t size = 0;
  if (all == nullptr || rd_kafka_header_get_last(all, name, &value, &size) != RD_KAFKA_RESP_ERR_NO_ERROR)
    return std::nullopt;
  return std::string_view(static_cast<const char*>(value), size);
}

void add(rd_kafka_headers_t* all, const char* name, const std::string& value) {
  rd_kafka_header_add(all, name, -1, value.data(), static_cast<ssize_t>(value.size()));
}

} // namespace

std::size_t size_of(const log_entry& e) {
  return e.key.size() + e.value.size() + e.traceparent.size() + e.source.size() + 64;
}

headers_ptr headers_of(const log_entry& entry) {
  headers_ptr out(rd_kafka_headers_new(5));
  add(out.get(), "tenant", std::to_string(entry.tenant.value));
  add(out.get(), "schema", schema_version);
  if (!entry.traceparent.empty())
    add(out.get(), "traceparent", entry.traceparent);
  if (!entry.source.empty())
    add(out.get(), "source", entry.source);
  if (entry.writer.value != 0)
    add(out.get(), "epoch", std::to_string(entry.writer.value));
  return out;
}

result<log_record> to_record(const rd_kafka_message_t& message) {
  rd_kafka_headers_t* headers = nullptr;
  (void)rd_kafka_message_headers(&message, &headers);
  log_record out;
  out.offset = log_offset{message.offset};
  const auto tenant = header(headers, "tenant");
  if (!tenant || !read_number(*tenant, out.entry.tenant.value))
    return error{
        ec::corrupt,
        fmt::format("offset {} of {}/{} has no header `tenant`: no PulseEcom wrote it; only PulseEcom may write "
                    "to this topic",
                    message.offset, rd_kafka_topic_name(message.rkt), message.partition),
        ""};
  if (message.key_len > 0)
    out.entry.key.assign(static_cast<const char*>(message.key), message.key_len);
  if (message.len > 0)
    out.entry.value.assign(static_cast<const char*>(message.payload), message.len);
  out.entry.traceparent = header(headers, "traceparent").value_or("");
  out.entry.source = header(headers, "source").value_or("");
  if (const auto epoch = header(headers, "epoch"))
    (void)read_number(*epoch, out.entry.writer.value);
  return out;
}

} // namespace pulse::kafka
