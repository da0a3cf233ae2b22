// What the tests of models/event share: a request's surroundings, with a time and a randomness that never change.
#pragma once

#include <catch2/catch_test_macros.hpp>
#include <string>

#include "models/event/request_parser.hpp"

namespace pulse::testing {

/// Counts up, so that no two ids are the same and every run has the same ones.
class counting_random final : public random_source {
public:
  void fill(std::span<std::uint8_t> bytes) override {
    for (auto& b : bytes)
      b = static_cast<std::uint8_t>(++n_ * 37 >> 2);
  }

private:
  std::uint32_t n_ = 0;
};

inline const time_ms received = *parse_time("2026-11-24T02:00:00Z");

inline request_context context_at(time_ms now = received) {
  static counting_random random;
  request_context out;
  out.tenant = tenant_id{7};
  out.received_at = now;
  out.horizon = time_ms{now.value - 730 * day_ms};
  out.random = &random;
  return out;
}

inline parsed_request parse(std::string body, request_shape shape = request_shape::events,
                            const request_context& context = context_at()) {
  auto parsed = parse_request(body, shape, context);
  INFO(body << (parsed ? "" : parsed.err().detail));
  REQUIRE(parsed.ok());
  return std::move(*parsed);
}

inline error parse_error(std::string body, request_shape shape = request_shape::events,
                         const request_context& context = context_at()) {
  auto parsed = parse_request(body, shape, context);
  INFO(body);
  REQUIRE_FALSE(parsed.ok());
  return parsed.err();
}

/// A track call that nobody can find fault with, with more top-level fields.
inline std::string track(std::string_view more = "", std::string_view name = "Thing Done") {
  return R"({"type":"track","event":")" + std::string(name) +
         R"(","userId":"u1","messageId":"m1","timestamp":"2026-11-24T01:00:00Z")" + std::string(more) + "}";
}

} // namespace pulse::testing
