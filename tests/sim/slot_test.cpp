// The slot's machine under faults from a seed, with a child whose score depends on everything before it: any event
// lost, folded twice or folded out of order changes the scores.
#include <catch2/catch_test_macros.hpp>

#include <algorithm>
#include <fmt/format.h>
#include <functional>

#include "tests/support/hashing_child.hpp"

using namespace pulse;

namespace {

std::vector<slot::item> make_raw(std::uint64_t seed, int n, int tenants) {
  std::mt19937_64 random(seed);
  std::vector<slot::item> raw;
  for (int i = 0; i < n; ++i) {
    const auto tenant = tenant_id{static_cast<std::int32_t>(random() % static_cast<unsigned>(tenants)) + 1};
    const auto kind = random() % 100 == 0 ? "poison" : "order";
    raw.push_back({log_offset{i}, tenant, std::make_shared<const std::string>(fmt::format("{} {}", kind, i)), false});
  }
  return raw;
}

test::child_maker maker(bool without_as_of = false) {
  return {[=](tenant_id, const auto& images) {
    return std::make_unique<test::hashing_child>(images, without_as_of);
  }};
}

slot::machine_config small_config() {
  slot::machine_config c;
  c.image_events = 25;
  c.idle_ms = 400;
  c.tenants_awake_max = 3;
  c.poison_per_minute_max = 1000;
  return c;
}

const test::world_faults all_faults{.child_killed = 0.05,
                                    .load_fails = 0.1,
                                    .commit_fails = 0.1,
                                    .answer_of_commit_lost = 0.1,
                                    .owner_changes = 0.003,
                                    .called = 0.02,
                                    .as_of_lags = true};

/// What one run came to: by offset `failed`, or the score.
std::map<std::int64_t, std::string> outcomes(const test::world_store& store, std::vector<std::string>& wrong) {
  std::map<std::int64_t, std::string> out;
  for (const auto& [offset, effects] : store.effects) {
    if (effects.size() != 1)
      wrong.push_back(fmt::format("offset {} was stored {} times", offset, effects.size()));
    const auto& p = effects.front();
    out[offset] =
        p.outcome == slot::outcome::failed ? "failed " + p.failure.code : fmt::format("{}", p.event.risk.score);
  }
  return out;
}

/// Empty when the run under faults is right: everything once, and the scores of the quiet run.
std::vector<std::string> check(std::uint64_t seed, test::world_faults faults, bool without_as_of = false) {
  const auto raw = make_raw(seed, 400, 6);
  std::vector<std::string> wrong;
  test::slot_world quiet(seed, raw, maker(), {}, {});
  test::slot_world noisy(seed + 1, raw, maker(without_as_of), faults, small_config());
  if (!quiet.run() || !noisy.run())
    wrong.push_back("a run did not come to an end");
  wrong.insert(wrong.end(), noisy.violations().begin(), noisy.violations().end());
  const auto want = outcomes(quiet.store(), wrong);
  if (want.size() != raw.size())
    wrong.push_back("the quiet run lost something");
  if (outcomes(noisy.store(), wrong) != want)
    wrong.push_back("another outcome or score than in the quiet run");
  return wrong;
}

/// Scores that are not those of the stored records alone, in raw order: a record that was set aside moved the state, or
/// one that was stored did not.
int inconsistent(const test::world_store& store) {
  std::map<std::pair<tenant_id, std::int32_t>, std::uint64_t> state;
  int out = 0;
  for (const auto& [offset, effects] : store.effects) {
    const auto& p = effects.front();
    if (p.outcome != slot::outcome::stored)
      continue;
    const auto h = std::hash<std::string>{}(p.event.message_id);
    auto& chunk = state[{p.tenant, static_cast<std::int32_t>(h % test::hashing_chunks)}];
    chunk = test::mix(chunk, h);
    out += p.event.risk.score == static_cast<double>(chunk >> 12U) ? 0 : 1;
  }
  return out;
}

/// Much poison, and now and then a control record that ends a quarantine.
int inconsistent_quarantines(test::world_faults faults, int* quarantined = nullptr) {
  auto config = small_config();
  config.poison_per_minute_max = 3;
  int out = 0;
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    auto raw = make_raw(seed, 300, 3);
    for (auto& it : raw) {
      if (it.offset.value % 40 < 4)
        it.value = std::make_shared<const std::string>(fmt::format("poison {}", it.offset.value));
      it.control = it.offset.value % 40 == 25;
    }
    test::slot_world world(seed, raw, maker(), faults, config);
    out += world.run() && world.store().effects.size() == raw.size() ? inconsistent(world.store()) : 1;
    for (const auto& [offset, effects] : world.store().effects)
      if (quarantined != nullptr && effects.front().failure.code == "quarantined")
        ++*quarantined;
  }
  return out;
}

int failing_seeds(test::world_faults faults, bool without_as_of = false) {
  int failing = 0;
  for (std::uint64_t seed = 0; seed < 20; ++seed)
    failing += check(seed, faults, without_as_of).empty() ? 0 : 1;
  return failing;
}

} // namespace

TEST_CASE("whatever crashes or moves, each record is stored once with the same score", "[slot][f:2.8][f:11.4]") {
  for (std::uint64_t seed = 0; seed < 150; ++seed) {
    const auto wrong = check(seed, all_faults);
    INFO("seed " << seed << ": " << (wrong.empty() ? "" : wrong.front()));
    REQUIRE(wrong.empty());
  }
}

TEST_CASE("poison is set aside alone and its neighbours go on", "[slot][f:11.4]") {
  const auto raw = make_raw(7, 400, 2);
  test::slot_world world(7, raw, maker(), {}, small_config());
  REQUIRE(world.run());
  int failed = 0;
  for (const auto& [offset, effects] : world.store().effects) {
    const bool poison = raw[static_cast<std::size_t>(offset)].value->starts_with("poison");
    CHECK((effects.front().outcome == slot::outcome::failed) == poison);
    failed += poison ? 1 : 0;
  }
  CHECK(failed > 0);
  CHECK(world.store().effects.size() == raw.size());
}

TEST_CASE("a tenant with too much poison is quarantined, and nothing is lost", "[slot][f:11.4]") {
  auto raw = make_raw(3, 300, 2);
  for (auto& it : raw)
    if (it.tenant == tenant_id{1})
      it.value = std::make_shared<const std::string>(fmt::format("poison {}", it.offset.value));
  auto config = small_config();
  config.poison_per_minute_max = 5;
  test::slot_world world(3, raw, maker(), {}, config);
  REQUIRE(world.run());
  int quarantined = 0;
  for (const auto& [offset, effects] : world.store().effects)
    if (effects.front().tenant == tenant_id{1})
      quarantined += effects.front().failure.code == "quarantined" ? 1 : 0;
  CHECK(quarantined > 100);
  CHECK(world.store().effects.size() == raw.size());
}

TEST_CASE("what was set aside untried never moves the state, whatever crashes", "[slot][f:11.4]") {
  int quarantined = 0;
  CHECK(inconsistent_quarantines(all_faults, &quarantined) == 0);
  CHECK(quarantined > 100);
}

TEST_CASE("without the list of what was set aside a replay folds it", "[slot][negative]") {
  auto faults = all_faults;
  faults.without_set_aside = true;
  CHECK(inconsistent_quarantines(faults) > 0);
}

TEST_CASE("a load that was read before a batch was stored still leaves out what that batch set aside",
          "[slot][f:11.4]") {
  slot::machine_config config;
  config.image_events = 1;
  slot::machine m(config, log_offset{0}, {});
  const auto record = [](std::int64_t at) {
    return slot::item{log_offset{at}, tenant_id{1}, std::make_shared<const std::string>(at == 0 ? "poison" : "x"),
                      false};
  };
  time_ms now{0};
  std::vector<slot::action> out;
  std::shared_ptr<const slot::batch> batch;
  std::uint64_t incarnation = 0;
  std::uint64_t late_load = 0;
  std::vector<std::int64_t> replayed;
  // Carries out what is due. The last load's answer is kept back, and commits are answered below.
  const auto settle = [&](bool answer_loads) {
    for (std::size_t i = 0; i < out.size(); ++i) {
      const auto a = out[i];
      if (const auto* load = std::get_if<slot::load_action>(&a)) {
        late_load = incarnation = load->incarnation;
        if (answer_loads)
          m.on_loaded(tenant_id{1}, load->incarnation, log_offset{-1}, {}, now, out);
      } else if (const auto* replay = std::get_if<slot::replay_read_action>(&a)) {
        std::vector<slot::item> items;
        for (auto at = replay->from.value; at < replay->to.value; ++at)
          items.push_back(record(at));
        m.on_replay(tenant_id{1}, replay->incarnation, items, replay->to, now, out);
      } else if (const auto* send = std::get_if<slot::send_action>(&a)) {
        const auto& items = send->part.items;
        for (const auto& it : items)
          if (send->part.replay)
            replayed.push_back(it.offset.value);
        if (std::any_of(items.begin(), items.end(), [](const auto& it) { return it.offset.value == 0; })) {
          m.on_part_failed(tenant_id{1}, send->part.request, slot::loss::threw, "poison", now, out);
          continue;
        }
        slot::part_result r;
        r.request = send->part.request;
        r.tenant = tenant_id{1};
        if (!send->part.replay)
          r.results.resize(items.size());
        if (send->part.take_images)
          r.images.push_back({0, log_offset{items.back().offset.value}, ""});
        m.on_part_done(std::move(r), now, out);
      } else if (const auto* commit = std::get_if<slot::commit_action>(&a)) {
        batch = commit->batch;
      }
    }
    out.clear();
  };
  m.start(now, out);
  m.on_records({record(0), record(1)}, false, now, out);
  for (int i = 0; i < 100 && !batch; ++i) {
    settle(true);
    now.value += 100;
    m.tick(now, out);
  }
  settle(true);
  REQUIRE(batch);
  REQUIRE(batch->images.size() == 1);
  // The store is away for a moment. The child dies, and is loaded as of before the batch.
  m.on_commit_failed(batch->seq, {ec::unavailable, "away", ""}, now, out);
  m.on_child_lost(tenant_id{1}, incarnation, now, out);
  m.on_records({record(2)}, false, now, out);
  now.value += 10;
  late_load = 0;
  while (late_load == 0) {
    now.value += 10;
    m.tick(now, out);
    settle(false);
  }
  m.on_committed(batch->seq, now, out);
  settle(false);
  replayed.clear();
  m.on_loaded(tenant_id{1}, late_load, log_offset{-1}, {}, now, out);
  settle(true);
  CHECK(replayed == std::vector<std::int64_t>{1});
}

TEST_CASE("images taken for sleep are never stored over newer ones", "[slot][f:2.8]") {
  slot::machine_config config;
  config.image_events = 3;
  config.idle_ms = 100;
  slot::machine m(config, log_offset{0}, {});
  const auto record = [](std::int64_t at) {
    return slot::item{log_offset{at}, tenant_id{1}, std::make_shared<const std::string>("x"), false};
  };
  std::vector<slot::action> out;
  std::vector<std::int64_t> stored;
  // Carries out what is due, and answers parts with an image as of `as_of` where one is asked for.
  const auto settle = [&](time_ms now, std::int64_t as_of) {
    for (std::size_t i = 0; i < out.size(); ++i) {
      const auto a = out[i];
      if (const auto* load = std::get_if<slot::load_action>(&a)) {
        m.on_loaded(tenant_id{1}, load->incarnation, log_offset{-1}, {}, now, out);
      } else if (const auto* send = std::get_if<slot::send_action>(&a)) {
        slot::part_result r;
        r.request = send->part.request;
        r.tenant = tenant_id{1};
        r.results.resize(send->part.items.size());
        if (send->part.take_images)
          r.images.push_back({0, log_offset{as_of}, ""});
        m.on_part_done(std::move(r), now, out);
      } else if (const auto* commit = std::get_if<slot::commit_action>(&a)) {
        for (const auto& images : commit->batch->images)
          stored.push_back(images.chunks.front().as_of.value);
        m.on_committed(commit->batch->seq, now, out);
      }
    }
    out.clear();
  };
  m.start(time_ms{0}, out);
  m.on_records({record(0)}, false, time_ms{0}, out);
  settle(time_ms{0}, 0);
  m.tick(time_ms{1000}, out);
  auto flush =
      std::find_if(out.begin(), out.end(), [](const auto& a) { return std::holds_alternative<slot::send_action>(a); });
  REQUIRE(flush != out.end());
  const auto asked = std::get<slot::send_action>(*flush).part;
  REQUIRE(asked.items.empty());
  out.clear();
  // They come while the images are being taken, and ask for images themselves.
  m.on_records({record(1), record(2), record(3)}, false, time_ms{1001}, out);
  slot::part_result r;
  r.request = asked.request;
  r.tenant = tenant_id{1};
  r.images.push_back({0, log_offset{0}, ""});
  m.on_part_done(std::move(r), time_ms{1002}, out);
  settle(time_ms{1003}, 3);
  CHECK(stored == std::vector<std::int64_t>{0, 3});
}

TEST_CASE("a tenant whose state cannot be used is quarantined until a control record comes", "[slot][f:11.4]") {
  slot::machine m({}, log_offset{0}, {});
  const auto record = [](std::int64_t at, bool control) {
    return slot::item{log_offset{at}, tenant_id{1}, std::make_shared<const std::string>("x"), control};
  };
  std::vector<slot::action> out;
  m.start(time_ms{0}, out);
  out.clear();
  m.on_records({record(0, false)}, false, time_ms{0}, out);
  const auto load = std::get<slot::load_action>(out.at(0));
  out.clear();
  m.on_load_failed(tenant_id{1}, load.incarnation, {ec::unavailable, "away", ""}, time_ms{0}, out);
  CHECK(m.batches_in_flight() == 1);
  out.clear();
  m.tick(time_ms{10'000}, out);
  const auto again = std::get<slot::load_action>(out.at(0));
  out.clear();
  m.on_load_failed(tenant_id{1}, again.incarnation, {ec::corrupt, "checksum", ""}, time_ms{10'000}, out);
  REQUIRE(out.size() == 3);
  CHECK(std::get<slot::alarm_action>(out[1]).name == "tenant_quarantined");
  const auto& batch = *std::get<slot::commit_action>(out[2]).batch;
  CHECK(batch.results[0].failure.code == "quarantined");
  CHECK(batch.results[0].failure.detail.find("checksum") != std::string::npos);
  out.clear();
  m.on_committed(batch.seq, time_ms{20'000}, out);
  out.clear();
  m.on_records({record(1, false), record(2, true)}, false, time_ms{20'000}, out);
  CHECK(std::holds_alternative<slot::load_action>(out.at(0)));
}

/// Messages that were stored more than once, over 20 seeds; one record in five repeats an earlier one.
int doubled(test::world_faults faults) {
  int out = 0;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    auto raw = make_raw(seed, 400, 3);
    for (std::size_t i = 20; i < raw.size(); i += 5) {
      raw[i].value = raw[(i * 7 + seed) % i].value;
      raw[i].tenant = raw[(i * 7 + seed) % i].tenant;
    }
    test::slot_world world(seed, raw, maker(), faults, small_config());
    REQUIRE(world.run());
    for (const auto& [message, times] : world.store().stored_times)
      out += times > 1 ? 1 : 0;
    if (!faults.without_deduplication)
      CHECK(world.store().duplicates > 50);
  }
  return out;
}

TEST_CASE("a message that comes again is stored once, whatever crashes", "[slot][f:2.4]") {
  CHECK(doubled(all_faults) == 0);
}

TEST_CASE("without deduplication it is stored twice", "[slot][negative]") {
  auto faults = all_faults;
  faults.without_deduplication = true;
  CHECK(doubled(faults) > 0);
}

TEST_CASE("raw is never trimmed above the position or a state that is not imaged", "[slot]") {
  slot::machine m({}, log_offset{100}, {{tenant_id{1}, log_offset{40}, log_offset{90}}});
  CHECK(m.trim_bound() == log_offset{41});
  slot::machine clean({}, log_offset{100}, {});
  CHECK(clean.trim_bound() == log_offset{100});
}

TEST_CASE("without the epoch check a zombie's effects show", "[slot][negative]") {
  auto faults = all_faults;
  faults.without_epoch_check = true;
  CHECK(failing_seeds(faults) > 0);
}

TEST_CASE("without a chunk's as_of a replay folds twice", "[slot][negative]") {
  CHECK(failing_seeds(all_faults, true) > 0);
}

namespace {

/// Answers every action at once, as a store and children would that never fail. `commits`: the store is there.
void settle(slot::machine& m, time_ms now, std::vector<slot::action>& out,
            const std::function<std::size_t(tenant_id)>& model_bytes, std::vector<tenant_id>& released,
            bool commits = true) {
  for (std::size_t i = 0; i < out.size(); ++i) {
    const auto a = out[i];
    if (const auto* load = std::get_if<slot::load_action>(&a)) {
      m.on_loaded(load->tenant, load->incarnation, log_offset{-1}, {}, now, out);
    } else if (const auto* send = std::get_if<slot::send_action>(&a)) {
      slot::part_result r;
      r.request = send->part.request;
      r.tenant = send->part.tenant;
      r.results.resize(send->part.items.size());
      r.model_bytes = model_bytes(send->part.tenant);
      if (send->part.take_images)
        r.images.push_back({0, log_offset{0}, ""});
      m.on_part_done(std::move(r), now, out);
    } else if (const auto* commit = std::get_if<slot::commit_action>(&a)) {
      if (commits)
        m.on_committed(commit->batch->seq, now, out);
      else
        m.on_commit_failed(commit->batch->seq, {ec::unavailable, "away", ""}, now, out);
    } else if (const auto* gone = std::get_if<slot::release_action>(&a)) {
      released.push_back(gone->tenant);
    }
  }
  out.clear();
}

slot::item record_of(int tenant, std::int64_t at) {
  return {log_offset{at}, tenant_id{tenant}, std::make_shared<const std::string>("x"), false};
}

} // namespace

TEST_CASE("models over the budget put the tenants to sleep that have been idle longest, and only those that have some",
          "[slot][f:5.2]") {
  slot::machine_config config;
  config.model_bytes_max = 1000;
  slot::machine m(config, log_offset{0}, {});
  std::vector<slot::action> out;
  std::vector<tenant_id> released;
  // The first has no model of its own.
  const auto bytes = [](tenant_id t) {
    return t.value == 1 ? std::size_t{0} : std::size_t{600};
  };
  m.start(time_ms{0}, out);
  for (int t = 1; t <= 4; ++t) {
    const time_ms now{t * 100};
    m.on_records({record_of(t, t - 1)}, false, now, out);
    settle(m, now, out, bytes, released);
    if (t == 2) {
      m.tick(now, out);
      settle(m, now, out, bytes, released);
      CHECK(released.empty());
    }
  }
  CHECK(m.model_bytes() == 1800);
  // The store is away: what is imaged for sleep counts as asleep, so that nobody else is sent after it.
  for (int i = 0; i < 5; ++i) {
    m.tick(time_ms{500 + i}, out);
    settle(m, time_ms{500 + i}, out, bytes, released, false);
  }
  CHECK(released.empty());
  m.tick(time_ms{20'000}, out);
  settle(m, time_ms{20'000}, out, bytes, released);
  CHECK(released == std::vector{tenant_id{2}, tenant_id{3}});
  CHECK(m.model_bytes() == 600);
  CHECK(m.is_live(tenant_id{1}));
  CHECK(m.is_live(tenant_id{4}));
  // Models that only requests for scores have brought in count as well.
  m.on_call(tenant_id{5}, time_ms{20'100}, out);
  settle(m, time_ms{20'100}, out, bytes, released);
  REQUIRE(m.is_live(tenant_id{5}));
  m.on_asking(tenant_id{5});
  m.on_asked(tenant_id{5}, 900);
  CHECK(m.model_bytes() == 1500);
  // While its children are asked it does not sleep, however idle it is; the other one does.
  m.on_asking(tenant_id{5});
  released.clear();
  m.tick(time_ms{1'000'000}, out);
  settle(m, time_ms{1'000'000}, out, bytes, released);
  CHECK(std::find(released.begin(), released.end(), tenant_id{5}) == released.end());
  CHECK(m.is_live(tenant_id{5}));
  m.on_asked(tenant_id{5}, std::nullopt);
  m.tick(time_ms{1'000'100}, out);
  settle(m, time_ms{1'000'100}, out, bytes, released);
  CHECK_FALSE(m.is_live(tenant_id{5}));
}

TEST_CASE("a call wakes a tenant that sleeps, and none that cannot wake", "[slot][f:4.1]") {
  slot::machine m({}, log_offset{0}, {});
  std::vector<slot::action> out;
  std::vector<tenant_id> released;
  const auto none = [](tenant_id) {
    return std::size_t{0};
  };
  m.start(time_ms{0}, out);
  out.clear();
  CHECK_FALSE(m.is_live(tenant_id{1}));
  m.on_call(tenant_id{1}, time_ms{0}, out);
  m.on_call(tenant_id{1}, time_ms{0}, out);
  CHECK(std::count_if(out.begin(), out.end(),
                      [](const auto& a) { return std::holds_alternative<slot::load_action>(a); }) == 1);
  settle(m, time_ms{0}, out, none, released);
  CHECK(m.is_live(tenant_id{1}));
  // Nobody calls again: it sleeps as others do.
  m.tick(time_ms{400'000}, out);
  settle(m, time_ms{400'000}, out, none, released);
  CHECK(released == std::vector{tenant_id{1}});
  CHECK_FALSE(m.is_live(tenant_id{1}));

  m.on_call(tenant_id{2}, time_ms{400'000}, out);
  const auto load = std::get<slot::load_action>(out.front());
  out.clear();
  m.on_load_failed(load.tenant, load.incarnation, {ec::corrupt, "broken image", ""}, time_ms{400'000}, out);
  out.clear();
  CHECK(m.cannot_wake(tenant_id{2}).find("broken image") != std::string::npos);
  m.on_call(tenant_id{2}, time_ms{500'000}, out);
  m.tick(time_ms{500'000}, out);
  CHECK(
      std::none_of(out.begin(), out.end(), [](const auto& a) { return std::holds_alternative<slot::load_action>(a); }));
  // One that was called is not loaded any more once the slot ends, or nobody waits.
  m.on_call(tenant_id{4}, time_ms{500'000}, out);
  const auto late = std::get<slot::load_action>(out.back());
  out.clear();
  m.on_load_failed(late.tenant, late.incarnation, {ec::unavailable, "away", ""}, time_ms{500'000}, out);
  out.clear();
  m.call_off(tenant_id{4});
  m.tick(time_ms{600'000}, out);
  CHECK(out.empty());
  m.on_tenant_deleted(tenant_id{3});
  CHECK(m.cannot_wake(tenant_id{3}) == "the tenant is deleted");
}
