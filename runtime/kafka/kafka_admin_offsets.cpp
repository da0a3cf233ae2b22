// The part of admin that runs while the log is open: the generation, offsets, deletions.
#include <fmt/format.h>

#include "kafka/kafka_admin.hpp"

namespace pulse::kafka {

namespace {

std::optional<log_topic> topic_of(const kafka_log_settings& s, std::string_view name) {
  for (int t = 0; t < topics; ++t)
    if (topic_name(s, static_cast<log_topic>(t)) == name)
      return static_cast<log_topic>(t);
  return std::nullopt;
}

list_ptr to_list(const kafka_log_settings& s, const std::vector<place>& places) {
  list_ptr out(rd_kafka_topic_partition_list_new(static_cast<int>(places.size())));
  for (const auto& p : places)
    rd_kafka_topic_partition_list_add(out.get(), topic_name(s, p.topic).c_str(), p.slot.value)->offset = p.offset;
  return out;
}

} // namespace

result<log_generation> admin::generation(milliseconds limit) {
  const auto name = topic_name(settings_, log_topic::raw);
  const char* names[] = {name.c_str()};
  auto* asked = rd_kafka_TopicCollection_of_topic_names(names, 1);
  const queue_ptr queue(rd_kafka_queue_new(client_.handle()));
  const auto how = options(RD_KAFKA_ADMIN_OP_DESCRIBETOPICS, limit);
  rd_kafka_DescribeTopics(client_.handle(), asked, how.get(), queue.get());
  rd_kafka_TopicCollection_destroy(asked);
  auto event = answer(queue, limit, "describe raw");
  if (!event)
    return event.err();
  std::size_t n = 0;
  const auto** told = rd_kafka_DescribeTopics_result_topics(rd_kafka_event_DescribeTopics_result(event->get()), &n);
  if (n != 1)
    return failed("describe raw", "no answer for the topic");
  if (const auto* problem = rd_kafka_TopicDescription_error(told[0]);
      problem != nullptr && rd_kafka_error_code(problem) != RD_KAFKA_RESP_ERR_NO_ERROR)
    return failed("describe raw", rd_kafka_error_string(problem));
  const auto* id = rd_kafka_TopicDescription_topic_id(told[0]);
  const auto bits = id == nullptr ? 0 : static_cast<std::uint64_t>(rd_kafka_Uuid_most_significant_bits(id));
  if (bits == 0)
    return error{ec::unsupported, "Kafka gives topics no ids: version 2.8 is the least, 4 is what is tested", ""};
  return log_generation{static_cast<std::int64_t>((1ULL << 52) + (bits >> 12))};
}

result<std::vector<place>> admin::offsets(std::vector<place> wanted, bool earliest, milliseconds limit) {
  for (auto& p : wanted)
    p.offset = earliest ? RD_KAFKA_OFFSET_SPEC_EARLIEST : RD_KAFKA_OFFSET_SPEC_LATEST;
  const auto asked = to_list(settings_, wanted);
  const queue_ptr queue(rd_kafka_queue_new(client_.handle()));
  const auto how = options(RD_KAFKA_ADMIN_OP_LISTOFFSETS, limit);
  rd_kafka_ListOffsets(client_.handle(), asked.get(), how.get(), queue.get());
  auto event = answer(queue, limit, "tell offsets");
  if (!event)
    return event.err();
  std::size_t n = 0;
  const auto** told = rd_kafka_ListOffsets_result_infos(rd_kafka_event_ListOffsets_result(event->get()), &n);
  std::vector<place> out;
  for (std::size_t i = 0; i < n; ++i) {
    const auto* p = rd_kafka_ListOffsetsResultInfo_topic_partition(told[i]);
    if (p->err != RD_KAFKA_RESP_ERR_NO_ERROR)
      return failed(fmt::format("tell offsets of {}/{}", p->topic, p->partition), rd_kafka_err2str(p->err));
    if (const auto topic = topic_of(settings_, p->topic))
      out.push_back({*topic, slot_id{p->partition}, p->offset});
  }
  return out;
}

result<std::vector<place>> admin::delete_below(const std::vector<place>& bounds, milliseconds limit) {
  const auto asked = to_list(settings_, bounds);
  rd_kafka_DeleteRecords_t* order[] = {rd_kafka_DeleteRecords_new(asked.get())};
  const queue_ptr queue(rd_kafka_queue_new(client_.handle()));
  const auto how = options(RD_KAFKA_ADMIN_OP_DELETERECORDS, limit);
  rd_kafka_DeleteRecords(client_.handle(), order, 1, how.get(), queue.get());
  rd_kafka_DeleteRecords_destroy(order[0]);
  auto event = answer(queue, limit, "delete old records");
  if (!event)
    return event.err();
  const auto* told = rd_kafka_DeleteRecords_result_offsets(rd_kafka_event_DeleteRecords_result(event->get()));
  std::vector<place> again;
  for (int i = 0; i < told->cnt; ++i)
    if (told->elems[i].err != RD_KAFKA_RESP_ERR_NO_ERROR)
      for (const auto& b : bounds)
        if (b.slot.value == told->elems[i].partition)
          again.push_back(b);
  return again;
}

} // namespace pulse::kafka
