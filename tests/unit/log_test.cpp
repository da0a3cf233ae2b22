// What a line of the log looks like, for machines and for a person.
#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

#include "telemetry/log.hpp"

using namespace pulse;

namespace {

const auto noon = *parse_time("2026-01-02T12:00:01.250Z");

} // namespace

TEST_CASE("a line of the log is one JSON object with tenant and trace", "[log][f:10.1]") {
  const log::fields about{tenant_id{7}, std::nullopt, "r-1"};
  const log::line l{noon, log::level::warning, "store.behind", "store", "n1", "two\nlines \"quoted\"", about, 3};
  const auto read = nlohmann::json::parse(log::as_json(l));
  CHECK(read["ts"] == "2026-01-02T12:00:01.250Z");
  CHECK(read["level"] == "warning");
  CHECK(read["event"] == "store.behind");
  CHECK(read["component"] == "store");
  CHECK(read["node"] == "n1");
  CHECK(read["tenant_id"] == "7");
  CHECK(read["request_id"] == "r-1");
  CHECK(read["left_out"] == "3");
  CHECK(read["msg"] == "two\nlines \"quoted\"");
  CHECK_FALSE(read.contains("trace_id"));
}

TEST_CASE("a person reads the same line as text, on one line", "[log][f:10.1]") {
  const log::fields about{tenant_id{7}, std::nullopt, {}};
  CHECK(log::as_text({noon, log::level::warning, "store.behind", "store", "n1", "two\nlines", about}) ==
        "12:00:01.250 warning store.behind (store): two lines  [tenant_id=7]");
  const log::fields nobody;
  CHECK(log::as_text({noon, log::level::info, "node.ready", "node", "n1", "serving", nobody}) ==
        "12:00:01.250 info    node.ready (node): serving");
}
