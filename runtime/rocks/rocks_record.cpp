#include "rocks/rocks_record.hpp"

namespace pulse {

namespace {

constexpr std::uint8_t record_version = 1;

void put_big(std::string& out, std::uint64_t v, int bytes) {
  for (int i = bytes - 1; i >= 0; --i)
    out.push_back(static_cast<char>(v >> (8 * i) & 0xff));
}

void put_little(std::string& out, std::uint64_t v, int bytes) {
  for (int i = 0; i < bytes; ++i)
    out.push_back(static_cast<char>(v >> (8 * i) & 0xff));
}

bool take_little(std::string_view& in, std::size_t bytes, std::uint64_t& v) {
  if (in.size() < bytes)
    return false;
  v = 0;
  for (std::size_t i = 0; i < bytes; ++i)
    v |= static_cast<std::uint64_t>(static_cast<std::uint8_t>(in[i])) << (8 * i);
  in.remove_prefix(bytes);
  return true;
}

bool take_text(std::string_view& in, std::string& out) {
  std::uint64_t size = 0;
  if (!take_little(in, 4, size) || in.size() < size)
    return false;
  out.assign(in.substr(0, size));
  in.remove_prefix(size);
  return true;
}

} // namespace

std::string rocks_key(log_topic topic, log_generation generation, slot_id slot, log_offset offset) {
  std::string out;
  out.reserve(21);
  put_big(out, static_cast<std::uint64_t>(topic), 1);
  put_big(out, static_cast<std::uint64_t>(generation.value), 8);
  put_big(out, static_cast<std::uint64_t>(slot.value), 4);
  put_big(out, static_cast<std::uint64_t>(offset.value), 8);
  return out;
}

log_offset rocks_key_offset(std::string_view key) {
  std::uint64_t v = 0;
  for (char c : key.substr(key.size() < 8 ? 0 : key.size() - 8))
    v = v << 8 | static_cast<std::uint8_t>(c);
  return log_offset{static_cast<std::int64_t>(v)};
}

void encode_rocks_record(const log_entry& entry, std::string& out) {
  put_little(out, record_version, 1);
  put_little(out, static_cast<std::uint32_t>(entry.tenant.value), 4);
  put_little(out, static_cast<std::uint64_t>(entry.writer.value), 8);
  for (const auto* text : {&entry.key, &entry.value, &entry.traceparent, &entry.source}) {
    put_little(out, text->size(), 4);
    out.append(*text);
  }
}

result<log_entry> decode_rocks_record(std::string_view bytes) {
  log_entry out;
  std::uint64_t version = 0;
  std::uint64_t tenant = 0;
  std::uint64_t writer = 0;
  const bool read = take_little(bytes, 1, version) && version == record_version && take_little(bytes, 4, tenant) &&
                    take_little(bytes, 8, writer) && take_text(bytes, out.key) && take_text(bytes, out.value) &&
                    take_text(bytes, out.traceparent) && take_text(bytes, out.source) && bytes.empty();
  if (!read)
    return error{ec::corrupt, "a record of the log that this program did not write", ""};
  out.tenant = tenant_id{static_cast<std::int32_t>(tenant)};
  out.writer = epoch{static_cast<std::int64_t>(writer)};
  return out;
}

} // namespace pulse
