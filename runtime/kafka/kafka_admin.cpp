#include "kafka/kafka_admin.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <map>
#include <thread>

namespace pulse::kafka {

namespace {

constexpr auto poll_interval = milliseconds(100);

milliseconds left(std::chrono::steady_clock::time_point deadline) {
  const auto rest = std::chrono::duration_cast<milliseconds>(deadline - std::chrono::steady_clock::now());
  return std::max(rest, milliseconds(1));
}

int count(milliseconds limit) {
  return static_cast<int>(limit.count());
}

/// Whether a partition of the topic has a leader; a topic that is not there yet is none's fault.
bool is_led(const rd_kafka_metadata_t& m) {
  for (int t = 0; t < m.topic_cnt; ++t)
    for (int p = 0; p < m.topics[t].partition_cnt; ++p)
      if (m.topics[t].partitions[p].leader >= 0)
        return true;
  return m.topic_cnt == 0 || m.topics[0].partition_cnt == 0;
}

/// What a topic of ours is made with.
std::map<std::string, std::string> configuration_of(const kafka_log_settings& s, log_topic topic) {
  const bool raw = topic == log_topic::raw;
  return {{"min.insync.replicas", std::to_string(s.min_insync_replicas)},
          {"cleanup.policy", "delete"},
          // Raw goes when no slot needs it any more, never by age: see trim.
          {"retention.ms", raw ? "-1" : std::to_string(s.tap_retention_ms)},
          {"retention.bytes", "-1"},
          {"unclean.leader.election.enable", "false"}};
}

} // namespace

error admin::failed(std::string_view doing, std::string_view why) const {
  return {ec::unavailable,
          fmt::format("Kafka ({}) does not {}: {}{}", settings_.brokers, doing, why, client_.events().last_words()),
          ""};
}

options_ptr admin::options(rd_kafka_admin_op_t op, milliseconds limit) const {
  options_ptr out(rd_kafka_AdminOptions_new(client_.handle(), op));
  std::array<char, 256> why{};
  (void)rd_kafka_AdminOptions_set_request_timeout(out.get(), count(limit), why.data(), why.size());
  return out;
}

result<event_ptr> admin::answer(const queue_ptr& queue, milliseconds limit, std::string_view doing) const {
  event_ptr event(rd_kafka_queue_poll(queue.get(), count(limit) + 1000));
  rd_kafka_poll(client_.handle(), 0);
  if (!event)
    return failed(doing, "no answer");
  if (rd_kafka_event_error(event.get()) != RD_KAFKA_RESP_ERR_NO_ERROR)
    return failed(doing, rd_kafka_event_error_string(event.get()));
  return event;
}

result<void> admin::reach(milliseconds limit) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  for (;;) {
    const rd_kafka_metadata_t* found = nullptr;
    const auto code = rd_kafka_metadata(client_.handle(), 0, client_.topic(log_topic::raw), &found,
                                        count(std::min(left(deadline), milliseconds(500))));
    rd_kafka_poll(client_.handle(), 0);
    const metadata_ptr freed(found);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
      return is_led(*found) ? result<void>{} : failed("lead raw", "no partition has a leader");
    // A broker that refuses us will do so again; one that starts may answer soon.
    if (client_.events().refused() || std::chrono::steady_clock::now() >= deadline)
      return failed(client_.events().refused() ? "let us in" : "answer", rd_kafka_err2str(code));
  }
}

result<std::vector<admin::topic_state>> admin::look(milliseconds limit) {
  const rd_kafka_metadata_t* found = nullptr;
  const auto code = rd_kafka_metadata(client_.handle(), 1, nullptr, &found, count(limit));
  const metadata_ptr all(found);
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
    return failed("tell its topics", rd_kafka_err2str(code));
  std::vector<topic_state> out(topics);
  for (int i = 0; i < all->topic_cnt; ++i)
    for (int t = 0; t < topics; ++t) {
      const auto& topic = all->topics[i];
      if (topic.topic != topic_name(settings_, static_cast<log_topic>(t)) || topic.err != RD_KAFKA_RESP_ERR_NO_ERROR)
        continue;
      auto& state = out[static_cast<std::size_t>(t)];
      state = {topic.partition_cnt > 0, topic.partition_cnt, topic.partition_cnt > 0 ? INT32_MAX : 0, true};
      for (int p = 0; p < topic.partition_cnt; ++p) {
        state.replicas = std::min(state.replicas, topic.partitions[p].replica_cnt);
        state.led = state.led && topic.partitions[p].leader >= 0;
      }
    }
  return out;
}

result<void> admin::create(const std::vector<log_topic>& missing, milliseconds limit) {
  std::vector<rd_kafka_NewTopic_t*> wanted;
  std::array<char, 512> why{};
  for (auto t : missing) {
    const auto name = topic_name(settings_, t);
    auto* topic =
        rd_kafka_NewTopic_new(name.c_str(), settings_.slots, settings_.replication_factor, why.data(), why.size());
    if (topic == nullptr)
      return error{ec::invalid, fmt::format("the topic {} can't be made: {}", name, why.data()), "kafka.topic_prefix"};
    for (const auto& [option, value] : configuration_of(settings_, t))
      (void)rd_kafka_NewTopic_set_config(topic, option.c_str(), value.c_str());
    wanted.push_back(topic);
  }
  const queue_ptr queue(rd_kafka_queue_new(client_.handle()));
  const auto how = options(RD_KAFKA_ADMIN_OP_CREATETOPICS, limit);
  rd_kafka_CreateTopics(client_.handle(), wanted.data(), wanted.size(), how.get(), queue.get());
  rd_kafka_NewTopic_destroy_array(wanted.data(), wanted.size());
  auto event = answer(queue, limit, "make topics");
  if (!event)
    return event.err();
  std::size_t n = 0;
  const auto** made = rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event->get()), &n);
  for (std::size_t i = 0; i < n; ++i) {
    const auto code = rd_kafka_topic_result_error(made[i]);
    // Another node was faster.
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR || code == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
      continue;
    const auto* words = rd_kafka_topic_result_error_string(made[i]);
    const auto detail = fmt::format("Kafka does not make the topic {}: {}", rd_kafka_topic_result_name(made[i]),
                                    words != nullptr ? words : rd_kafka_err2str(code));
    if (code == RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR)
      return error{ec::invalid,
                   fmt::format("{} (kafka.replication_factor is {}; on a single broker set it and "
                               "kafka.min_insync_replicas to 1)",
                               detail, settings_.replication_factor),
                   "kafka.replication_factor"};
    return error{ec::unavailable, detail, ""};
  }
  return {};
}

result<void> admin::ensure_topics(milliseconds limit) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  bool created = false;
  for (;;) {
    auto found = look(left(deadline));
    if (!found)
      return found.err();
    std::vector<log_topic> missing;
    bool led = true;
    for (int t = 0; t < topics; ++t) {
      const auto& state = (*found)[static_cast<std::size_t>(t)];
      if (!state.exists)
        missing.push_back(static_cast<log_topic>(t));
      led = led && state.led;
    }
    if (missing.empty() && led)
      return check(*found, left(deadline));
    if (!missing.empty() && !created) {
      if (auto made = create(missing, left(deadline)); !made)
        return made;
      created = true;
    }
    if (std::chrono::steady_clock::now() >= deadline)
      return failed("lead every partition of its topics", missing.empty() ? "no leader" : "topics are missing");
    // What was made is known to every broker a moment later.
    std::this_thread::sleep_for(poll_interval);
  }
}

result<void> admin::check(const std::vector<topic_state>& found, milliseconds limit) {
  std::vector<rd_kafka_ConfigResource_t*> wanted;
  for (int t = 0; t < topics; ++t) {
    const auto name = topic_name(settings_, static_cast<log_topic>(t));
    const auto& state = found[static_cast<std::size_t>(t)];
    if (state.partitions != settings_.slots)
      return error{ec::invalid,
                   fmt::format("the topic {} has {} partitions, kafka.slots is {}; the number is fixed when a log is "
                               "made: set kafka.slots to it, or use another kafka.topic_prefix",
                               name, state.partitions, settings_.slots),
                   "kafka.slots"};
    if (state.replicas != settings_.replication_factor)
      return error{ec::invalid,
                   fmt::format("the topic {} has {} replicas, kafka.replication_factor is {}; change the topic or the "
                               "setting",
                               name, state.replicas, settings_.replication_factor),
                   "kafka.replication_factor"};
    wanted.push_back(rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, name.c_str()));
  }
  const queue_ptr queue(rd_kafka_queue_new(client_.handle()));
  const auto how = options(RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, limit);
  rd_kafka_DescribeConfigs(client_.handle(), wanted.data(), wanted.size(), how.get(), queue.get());
  rd_kafka_ConfigResource_destroy_array(wanted.data(), wanted.size());
  auto event = answer(queue, limit, "tell how its topics are configured");
  if (!event)
    return event.err();
  std::size_t n = 0;
  const auto** told =
      rd_kafka_DescribeConfigs_result_resources(rd_kafka_event_DescribeConfigs_result(event->get()), &n);
  for (std::size_t i = 0; i < n; ++i)
    for (int t = 0; t < topics; ++t)
      if (rd_kafka_ConfigResource_name(told[i]) == topic_name(settings_, static_cast<log_topic>(t)))
        if (auto ok = check_configuration(static_cast<log_topic>(t), told[i]); !ok)
          return ok;
  return {};
}

result<void> admin::check_configuration(log_topic topic, const rd_kafka_ConfigResource_t* resource) const {
  const auto name = topic_name(settings_, topic);
  if (rd_kafka_ConfigResource_error(resource) != RD_KAFKA_RESP_ERR_NO_ERROR) {
    const auto* why = rd_kafka_ConfigResource_error_string(resource);
    return failed(fmt::format("tell how {} is configured", name), why != nullptr ? why : "unknown error");
  }
  std::size_t n = 0;
  const auto** entries = rd_kafka_ConfigResource_configs(resource, &n);
  const auto wanted = configuration_of(settings_, topic);
  for (std::size_t i = 0; i < n; ++i) {
    const std::string option = rd_kafka_ConfigEntry_name(entries[i]);
    const auto* value = rd_kafka_ConfigEntry_value(entries[i]);
    const auto it = wanted.find(option);
    // How long the taps are kept is the operator's; that raw loses nothing by itself is ours.
    const bool ours = option == "min.insync.replicas" || topic == log_topic::raw;
    if (it == wanted.end() || !ours || value == nullptr || it->second == value)
      continue;
    if (option == "min.insync.replicas")
      return error{ec::invalid,
                   fmt::format("the topic {} has min.insync.replicas {}, kafka.min_insync_replicas is {}; change the "
                               "topic or the setting",
                               name, value, it->second),
                   "kafka.min_insync_replicas"};
    return error{ec::invalid,
                 fmt::format("the topic {} has {}={}: events would be lost before they are stored; set it to {}", name,
                             option, value, it->second),
                 ""};
  }
  return {};
}

} // namespace pulse::kafka
