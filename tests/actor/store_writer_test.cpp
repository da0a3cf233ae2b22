// The slot's writer over a fake log and a fake store: what others read is in the log before anything is stored.
#include <catch2/catch_test_macros.hpp>

#include "actors/store_writer/store_writer.hpp"
#include "tests/actor/actor_fixture.hpp"

using namespace pulse;

namespace {

/// Counts, and looks into the log at the moment of the commit.
struct spy_store final : slot_store {
  struct seen {
    int commits = 0;
    std::size_t scored_then = 0;
  };

  spy_store(testing::fake_event_log& l, seen& s) : log(l), saw(s) {
  }

  result<slot_start> take_over(slot_id slot, const slot_claim&) override {
    return take_over(slot);
  }

  result<slot_start> take_over(slot_id) override {
    return slot_start{log_offset{0}, epoch{5}, {}, {}};
  }

  result<commit_outcome> commit(const slot::batch&) override {
    ++saw.commits;
    saw.scored_then = log.records(log_topic::scored, slot_id{3}).size();
    return commit_outcome{};
  }

  result<tenant_start> load(tenant_id) override {
    return error{ec::not_found, "", ""};
  }

  result<slot::artifact> fetch(tenant_id, const std::string&, const std::string&) override {
    return error{ec::not_found, "", ""};
  }

  testing::fake_event_log& log;
  seen& saw;
};

batch_ptr some_batch(std::uint64_t seq = 1) {
  auto out = std::make_shared<slot::batch>();
  out->seq = seq;
  slot::processed ok;
  ok.offset = log_offset{11};
  ok.tenant = ok.event.tenant = tenant_id{7};
  ok.event.name = "Order Completed";
  ok.event.customer = "ada";
  ok.event.occurred_at = ok.event.received_at = time_ms{1'790'000'000'000};
  ok.event.risk.score = 95;
  auto repeated = ok;
  repeated.event.duplicate = true;
  slot::processed bad;
  bad.tenant = tenant_id{7};
  bad.outcome = slot::outcome::failed;
  bad.failure = {"scoring", "poison", "threw", ""};
  bad.body = "\xff";
  out->results = {ok, repeated, bad};
  return out;
}

struct fixture : test::actor_fixture {
  explicit fixture(bool taps = true) {
    ports->taps = taps;
    ports->make_slot_store = [this] {
      return std::make_unique<spy_store>(log, saw);
    };
    writer = own(system->spawn<store_writer>(context, slot_id{3}));
    ask<slot_start_ptr>(take_over_atom_v);
  }

  template <class Answer, class... Ts>
  Answer ask(const Ts&... what) {
    Answer out;
    auto client = system->spawn([&out, this, what...](caf::event_based_actor* self) {
      self->request(writer, work_timeout, what...).then([&out](const Answer& a) { out = a; });
    });
    run();
    return out;
  }

  std::size_t size(log_topic topic) {
    return log.records(topic, slot_id{3}).size();
  }

  spy_store::seen saw;
  store_writer_actor writer;
};

} // namespace

TEST_CASE("what others read is in the log before the batch is stored, under the writer's epoch", "[taps]") {
  fixture f;
  REQUIRE(f.ask<commit_ptr>(commit_atom_v, some_batch())->ok());
  CHECK(f.saw.commits == 1);
  CHECK(f.saw.scored_then == 1);
  const auto scored = f.log.records(log_topic::scored, slot_id{3}).at(0).entry;
  CHECK(scored.source == "3/11");
  CHECK(scored.writer == epoch{5});
  CHECK(scored.key == "7/ada");
  CHECK(scored.value.find(R"("risk":{"score":95)") != std::string::npos);
  CHECK(f.log.records(log_topic::enriched, slot_id{3}).at(0).entry.value.find("risk") == std::string::npos);
  CHECK(f.log.records(log_topic::failed, slot_id{3}).at(0).entry.value.find(R"("body_base64":"/w==")") !=
        std::string::npos);
  CHECK(f.size(log_topic::alerts) == 1);
}

TEST_CASE("nothing is stored while the log does not take the taps, and they are not written twice", "[taps]") {
  fixture f;
  f.log.fail_next(1);
  const auto refused = f.ask<commit_ptr>(commit_atom_v, some_batch());
  REQUIRE_FALSE(refused->ok());
  CHECK(is_retryable(refused->err().code));
  CHECK(f.saw.commits == 0);
  REQUIRE(f.ask<commit_ptr>(commit_atom_v, some_batch())->ok());
  const auto written = f.size(log_topic::scored);
  // The commit's answer was lost: the batch is stored again as it is.
  REQUIRE(f.ask<commit_ptr>(commit_atom_v, some_batch())->ok());
  CHECK(f.size(log_topic::scored) == written);
  REQUIRE(f.ask<commit_ptr>(commit_atom_v, some_batch(2))->ok());
  CHECK(f.size(log_topic::scored) == written + 1);
}

TEST_CASE("without taps nothing but the store is written", "[taps]") {
  fixture f(false);
  REQUIRE(f.ask<commit_ptr>(commit_atom_v, some_batch())->ok());
  CHECK(f.saw.commits == 1);
  CHECK(f.size(log_topic::enriched) == 0);
  CHECK(f.size(log_topic::scored) == 0);
}
