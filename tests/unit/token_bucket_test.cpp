// The token bucket: the long-run rate holds whatever the batches' sizes, and no batch is impossible.
#include <catch2/catch_test_macros.hpp>
#include <random>

#include "models/quota/token_bucket.hpp"

using namespace pulse;

TEST_CASE("a full bucket gives its burst, then its rate", "[quota][f:1.4]") {
  token_bucket bucket({10, 50}, time_ms{0});
  CHECK(bucket.take(50, time_ms{0}).ok);
  const auto refused = bucket.take(1, time_ms{0});
  CHECK_FALSE(refused.ok);
  CHECK(refused.retry_after_ms == 100);
  CHECK(refused.full_after_ms == 5000);
  CHECK_FALSE(bucket.take(1, time_ms{99}).ok);
  CHECK(bucket.take(1, time_ms{100}).ok);
}

TEST_CASE("a batch larger than the bucket passes when it is full, and is paid off", "[quota][f:1.4]") {
  token_bucket bucket({10, 50}, time_ms{0});
  CHECK(bucket.take(200, time_ms{0}).ok);
  const auto refused = bucket.take(1, time_ms{0});
  CHECK_FALSE(refused.ok);
  CHECK(refused.retry_after_ms == 15'100);
  CHECK(refused.remaining == 0);
  CHECK_FALSE(bucket.take(1, time_ms{15'099}).ok);
  CHECK(bucket.take(1, time_ms{15'100}).ok);
}

TEST_CASE("no limit is no limit, and a clock that goes back gives nothing", "[quota]") {
  token_bucket open({0, 0}, time_ms{0});
  CHECK(open.take(1'000'000, time_ms{0}).ok);
  token_bucket bucket({10, 1}, time_ms{1000});
  CHECK(bucket.take(1, time_ms{1000}).ok);
  CHECK_FALSE(bucket.take(1, time_ms{0}).ok);
  CHECK_FALSE(bucket.take(1, time_ms{1050}).ok);
  CHECK(bucket.take(1, time_ms{1100}).ok);
}

TEST_CASE("a change of the limit gives no free burst and makes no debt", "[quota]") {
  token_bucket bucket({10, 100}, time_ms{0});
  CHECK(bucket.take(90, time_ms{0}).ok);
  bucket.set({10, 200}, time_ms{0});
  CHECK(bucket.take(110, time_ms{0}).ok);
  CHECK_FALSE(bucket.take(1, time_ms{0}).ok);
  bucket.set({1, 5}, time_ms{0});
  CHECK(bucket.take(1, time_ms{1000}).ok);
}

TEST_CASE("whoever asks how often, the admitted rate stays within rate and burst", "[quota]") {
  const auto seed = 7U;
  std::mt19937 random(seed);
  token_bucket bucket({100, 300}, time_ms{0});
  std::int64_t admitted = 0;
  std::int64_t now = 0;
  for (int i = 0; i < 20'000; ++i) {
    now += static_cast<std::int64_t>(random() % 40);
    const auto n = static_cast<std::int64_t>(random() % 500);
    if (bucket.take(n, time_ms{now}).ok)
      admitted += n;
  }
  INFO("seed " << seed);
  CHECK(admitted <= now / 10 + 300 + 500);
  CHECK(admitted >= now / 10 - 500);
}
