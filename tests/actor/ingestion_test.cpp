// The ingestion actor over the fake log, on CAF's test coordinator: no thread, no socket, no sleep.
#include <catch2/catch_test_macros.hpp>

#include <deque>

#include "actors/ingestion/ingestion.hpp"
#include "models/event/raw_codec.hpp"
#include "tests/actor/actor_fixture.hpp"

using namespace pulse;

namespace {

struct fixture : test::actor_fixture {
  void spawn(std::int64_t rate, std::int64_t burst) {
    actor = own(system->spawn<ingestion>(context, ingestion_settings{tenant_id{7}, slot_id{2}, rate, burst, false, 1}));
  }

  /// The replies so far to this request.
  std::shared_ptr<std::vector<ingest_reply>> send(std::string body) {
    auto replies = std::make_shared<std::vector<ingest_reply>>();
    auto request = std::make_shared<ingest_request>();
    request->tenant = tenant_id{7};
    request->body = std::move(body);
    request->done = [replies](ingest_reply r) {
      replies->push_back(std::move(r));
    };
    caf::anon_send(actor, ingest_atom_v, std::move(request));
    run();
    return replies;
  }

  ingestion_actor actor;
};

const std::string two_events =
    R"([{"type":"track","event":"A","userId":"u","messageId":"m1","timestamp":"2026-09-21T00:00:00Z"},)"
    R"({"type":"track","userId":"u"}])";

/// The owner of the tenant's limit: answers each question by the next of these, or not at all.
lend_desk_actor::behavior_type desk_of(std::shared_ptr<std::deque<lend_answer>> answers) {
  return {
      [answers](lend_atom, const lend_request& asked) {
        if (answers->empty())
          return lend_answer{true, {}, {}};
        auto answer = answers->front();
        answers->pop_front();
        if (answer.what.granted > 0)
          answer.what.granted = asked.want;
        return answer;
      },
      [](settle_atom, const settle_note&) {},
  };
}

} // namespace

TEST_CASE("ingestion answers when the log says durable, and not before", "[ingestion][f:2.5]") {
  fixture f;
  f.spawn(0, 0);
  f.log.cork();
  const auto replies = f.send(two_events);
  CHECK(replies->empty());
  f.log.uncork();
  REQUIRE(replies->size() == 1);
  REQUIRE(replies->front().lines.size() == 2);
  CHECK(replies->front().lines[0].said.result == verdict_result::ok);
  CHECK(replies->front().lines[1].said.result == verdict_result::rejected);
  // The refused one is in raw with its verdict: it is never lost either.
  CHECK(f.log.records(log_topic::raw, slot_id{2}).size() == 2);
}

TEST_CASE("an event that comes again is said to be a duplicate, and is logged all the same", "[ingestion][f:2.4]") {
  fixture f;
  f.spawn(0, 0);
  f.send(two_events);
  const auto replies = f.send(two_events);
  REQUIRE(replies->size() == 1);
  CHECK(replies->front().lines[0].duplicate);
  CHECK(f.log.records(log_topic::raw, slot_id{2}).size() == 4);
}

TEST_CASE("a message without a time of its own that comes again is told by the first one's id", "[ingestion][f:2.4]") {
  fixture f;
  f.spawn(0, 0);
  const std::string untimed =
      R"({"type":"track","event":"Order Completed","userId":"u1","messageId":"again","properties":{"revenue":5}})";
  const auto first = f.send(untimed)->front().lines[0];
  const auto second = f.send(untimed)->front().lines[0];
  CHECK_FALSE(first.duplicate);
  CHECK(second.duplicate);
  CHECK(second.said.id == first.said.id);
}

TEST_CASE("a log that is away gives a retryable failure without verdicts", "[ingestion][f:2.11]") {
  fixture f;
  f.spawn(0, 0);
  f.log.fail_next(1);
  const auto failed = f.send(two_events);
  REQUIRE(failed->size() == 1);
  REQUIRE(failed->front().failed.has_value());
  CHECK(is_retryable(failed->front().failed->code));
  CHECK(failed->front().retry_after_ms > 0);
  CHECK(failed->front().lines.empty());
  // What was not acknowledged is no duplicate when it is sent again.
  CHECK_FALSE(f.send(two_events)->front().lines[0].duplicate);
}

TEST_CASE("over its rate nothing of a request is taken", "[ingestion][f:1.4]") {
  fixture f;
  f.spawn(1, 2);
  CHECK_FALSE(f.send(two_events)->front().failed.has_value());
  const auto refused = f.send(two_events);
  REQUIRE(refused->front().failed.has_value());
  CHECK(refused->front().failed->code == ec::rate_limited);
  CHECK(f.log.records(log_topic::raw, slot_id{2}).size() == 2);
}

TEST_CASE("under a limit that the cluster shares a request is taken, refused or sent away as the owner says",
          "[ingestion][f:1.8]") {
  fixture f;
  const auto answers = std::make_shared<std::deque<lend_answer>>();
  f.ports->desk = f.own(f.system->spawn(desk_of, answers));
  f.spawn(1, 2);
  answers->push_back({false, epoch{3}, {1, 500, 0}});
  const auto taken = f.send(two_events);
  REQUIRE(taken->size() == 1);
  CHECK_FALSE(taken->front().failed.has_value());
  CHECK(f.log.records(log_topic::raw, slot_id{2}).size() == 2);
  answers->push_back({false, epoch{3}, {0, 0, 700}});
  const auto refused = f.send(two_events);
  REQUIRE(refused->size() == 1);
  CHECK(refused->front().failed->code == ec::rate_limited);
  CHECK(refused->front().retry_after_ms == 700);
  // No owner within reach: 503 after the time that an answer may take, and nothing is taken.
  f.run_for(std::chrono::milliseconds(800));
  const auto away = f.send(two_events);
  CHECK(away->empty());
  f.run_for(std::chrono::milliseconds(500));
  REQUIRE(away->size() == 1);
  CHECK(away->front().failed->code == ec::unavailable);
  CHECK(f.log.records(log_topic::raw, slot_id{2}).size() == 2);
  // A loan of an owner that is not the owner any more is not used.
  answers->push_back({false, epoch{2}, {1, 500, 0}});
  const auto stale = f.send(two_events);
  f.run_for(std::chrono::milliseconds(500));
  REQUIRE(stale->size() == 1);
  CHECK(stale->front().failed->code == ec::unavailable);
  f.ports->desk.reset();
}
