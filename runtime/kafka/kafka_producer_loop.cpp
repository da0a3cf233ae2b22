// The producer's thread: polls librdkafka, answers, replaces a producer that is beyond help.
#include "kafka/kafka_producer.hpp"
#include "telemetry/log.hpp"

namespace pulse::kafka {

namespace {

constexpr int close_ms_max = 2000;
constexpr auto replace_retry = std::chrono::milliseconds(200);

} // namespace

int producer::wait_ms() const {
  if (holding_ > 0)
    return 1;
  return lanes_busy_ > 0 ? 20 : 1000;
}

void producer::wake() {
  const std::shared_lock lock(client_mutex_);
  rd_kafka_queue_yield(main_queue_.get());
}

void producer::run() {
  while (!stopping_) {
    sleeping_ = lanes_busy_ == 0;
    // Whoever came between the look and the sleep did not know that we sleep.
    const int limit = wait_ms();
    rd_kafka_poll(client_->handle(), limit);
    sleeping_ = false;
    sweep(std::chrono::steady_clock::now());
    give_answers();
    if (client_->events().fatal())
      replace_broken();
    if (on_stats_)
      if (auto json = client_->events().take_stats(); !json.empty())
        on_stats_(std::move(json));
  }
  close();
}

void producer::give_answers() {
  std::vector<answer> now;
  {
    const std::lock_guard lock(answers_mutex_);
    now.swap(answers_);
  }
  for (auto& a : now)
    if (a.done)
      a.done(std::move(a.outcome));
}

/// What is under way is purged and reported as unknown; appends wait meanwhile.
void producer::replace_broken() {
  ++replaced_;
  log::error("kafka_producer_replaced", "kafka", "a fatal error; a new producer is made" + last_words());
  auto fresh = make_client();
  while (!fresh && !stopping_) {
    std::this_thread::sleep_for(replace_retry);
    fresh = make_client();
  }
  if (!fresh)
    return;
  std::unique_ptr<client> broken;
  {
    // Reports need the lanes, and whoever holds a lane may wait for the client: so nothing is polled under this lock.
    const std::unique_lock lock(client_mutex_);
    broken = std::exchange(client_, std::move(*fresh));
    main_queue_.reset(rd_kafka_queue_get_main(client_->handle()));
  }
  rd_kafka_purge(broken->handle(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
  rd_kafka_flush(broken->handle(), close_ms_max);
  give_answers();
}

void producer::close() {
  for (auto& l : lanes_) {
    const std::lock_guard lock(l->mutex);
    for (auto& p : std::exchange(l->held, {}))
      hand_over(*l, std::move(p));
  }
  if (rd_kafka_flush(client_->handle(), close_ms_max) != RD_KAFKA_RESP_ERR_NO_ERROR) {
    rd_kafka_purge(client_->handle(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    rd_kafka_flush(client_->handle(), close_ms_max);
  }
  for (auto& l : lanes_) {
    const std::lock_guard lock(l->mutex);
    for (auto& p : l->under_way) {
      const std::lock_guard answering(answers_mutex_);
      answers_.push_back({std::move(p->done), error{ec::timeout, "the log was closed before Kafka answered", ""}});
    }
  }
  give_answers();
}

producer::~producer() {
  stopping_ = true;
  if (thread_.joinable()) {
    wake();
    thread_.join();
  }
  main_queue_.reset();
  client_.reset();
}

void producer::break_for_test() {
  const std::shared_lock lock(client_mutex_);
  rd_kafka_test_fatal_error(client_->handle(), RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, "asked for by a test");
}

} // namespace pulse::kafka
