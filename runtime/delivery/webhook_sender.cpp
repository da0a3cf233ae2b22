#include "delivery/webhook_sender.hpp"

#include <atomic>
#include <curl/curl.h>
#include <deque>
#include <mutex>
#include <thread>
#include <unordered_map>

#include "delivery/transfer.hpp"

namespace pulse::delivery {

namespace {

constexpr int poll_ms = 1000;

void init_curl_once() {
  static std::once_flag once;
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
}

} // namespace

struct webhook_sender::state {
  struct waiting {
    http_post post;
    done d;
  };

  struct lane {
    std::deque<waiting> queue;
    std::size_t active = 0;
    /// Its last post got no answer: no more than one connection is spent on it.
    bool silent = false;
    /// Stands in `turns`, which it does at most once.
    bool in_turns = false;
  };

  explicit state(webhook_config c) : config(std::move(c)) {
  }

  void run();
  void take_new();
  void start_waiting();
  void enlist(const std::string& name, lane& l);
  void start_one(lane& l);
  void collect_finished();
  void end_all();

  webhook_config config;
  CURLM* multi = nullptr;
  std::thread thread;
  std::mutex mutex;
  std::vector<waiting> incoming;
  bool stopping = false;
  std::atomic<std::size_t> queued{0};
  std::atomic<std::size_t> active{0};
  // Of the thread alone from here on.
  std::unordered_map<std::string, lane> lanes;
  /// Lanes that have something to send and room for it, in turn.
  std::deque<std::string> turns;
  std::unordered_map<CURL*, std::unique_ptr<transfer>> transfers;
};

webhook_sender::webhook_sender(webhook_config config) {
  init_curl_once();
  state_ = std::make_unique<state>(std::move(config));
  state_->multi = curl_multi_init();
  PULSE_ASSERT(state_->multi != nullptr, "libcurl starts");
  state_->thread = std::thread([s = state_.get()] { s->run(); });
}

webhook_sender::~webhook_sender() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
  }
  curl_multi_wakeup(state_->multi);
  state_->thread.join();
  curl_multi_cleanup(state_->multi);
}

void webhook_sender::send(http_post post, done d) {
  bool full = false;
  {
    const std::lock_guard lock(state_->mutex);
    full = state_->stopping || state_->queued >= state_->config.queued_max;
    if (!full) {
      ++state_->queued;
      state_->incoming.push_back({std::move(post), std::move(d)});
    }
  }
  if (full)
    d(error{ec::unavailable, "too many webhooks are waiting", ""});
  else
    curl_multi_wakeup(state_->multi);
}

webhook_load webhook_sender::load() const {
  return {state_->active, state_->queued};
}

void webhook_sender::state::run() {
  for (;;) {
    take_new();
    {
      const std::lock_guard lock(mutex);
      if (stopping)
        break;
    }
    start_waiting();
    int running = 0;
    curl_multi_perform(multi, &running);
    collect_finished();
    // What has ended may have made room: no waiting then.
    const bool more = !turns.empty() && active < config.concurrency_max;
    curl_multi_poll(multi, nullptr, 0, more ? 0 : poll_ms, nullptr);
  }
  end_all();
}

void webhook_sender::state::take_new() {
  std::vector<waiting> fresh;
  {
    const std::lock_guard lock(mutex);
    fresh.swap(incoming);
  }
  for (auto& w : fresh) {
    auto& l = lanes[w.post.lane];
    if (l.queue.size() >= config.lane_queued_max) {
      --queued;
      w.d(error{ec::unavailable, "too many webhooks wait for this receiver", ""});
      continue;
    }
    const auto name = w.post.lane;
    l.queue.push_back(std::move(w));
    enlist(name, l);
  }
}

void webhook_sender::state::enlist(const std::string& name, lane& l) {
  if (l.in_turns || l.queue.empty() || l.active >= (l.silent ? 1 : config.lane_concurrency_max))
    return;
  l.in_turns = true;
  turns.push_back(name);
}

void webhook_sender::state::start_waiting() {
  while (!turns.empty() && active < config.concurrency_max) {
    const auto name = std::move(turns.front());
    turns.pop_front();
    auto& l = lanes.at(name);
    l.in_turns = false;
    start_one(l);
    enlist(name, l);
  }
}

void webhook_sender::state::start_one(lane& l) {
  auto w = std::move(l.queue.front());
  l.queue.pop_front();
  --queued;
  auto t = std::make_unique<transfer>(std::move(w.post), std::move(w.d), config.allow, config.reply_bytes_max);
  auto* easy = t->handle();
  if (easy == nullptr || curl_multi_add_handle(multi, easy) != CURLM_OK) {
    t->fail({ec::unavailable, "no memory for another connection", ""});
    return;
  }
  transfers.emplace(easy, std::move(t));
  ++l.active;
  ++active;
}

void webhook_sender::state::collect_finished() {
  int left = 0;
  while (auto* message = curl_multi_info_read(multi, &left)) {
    if (message->msg != CURLMSG_DONE)
      continue;
    const auto code = message->data.result;
    const auto at = transfers.find(message->easy_handle);
    curl_multi_remove_handle(multi, message->easy_handle);
    const auto t = std::move(at->second);
    transfers.erase(at);
    --active;
    const auto lane_at = lanes.find(t->lane());
    --lane_at->second.active;
    lane_at->second.silent = !t->finish(code);
    enlist(lane_at->first, lane_at->second);
    if (lane_at->second.queue.empty() && lane_at->second.active == 0 && !lane_at->second.silent)
      lanes.erase(lane_at);
  }
}

void webhook_sender::state::end_all() {
  const error ended{ec::unavailable, "the server is shutting down", ""};
  for (auto& [easy, t] : transfers) {
    curl_multi_remove_handle(multi, easy);
    t->fail(ended);
  }
  transfers.clear();
  active = 0;
  for (auto& [name, l] : lanes)
    for (auto& w : l.queue)
      w.d(ended);
  lanes.clear();
  turns.clear();
  queued = 0;
}

} // namespace pulse::delivery
