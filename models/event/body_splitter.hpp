// Cuts the body of a request into its events by structure alone (strings, brackets, lines), before anything is
// parsed, so that a broken event costs itself and not its neighbours. Also repairs the escapes that no text store
// can hold. First step of parse_request.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace pulse {

/// Replaces in place what is valid JSON and no valid text, `\u0000` and lone surrogates, by `\ufffd` (the same
/// length), and returns where, in ascending order.
std::vector<std::uint32_t> repair_escapes(char* data, std::size_t size);

struct split_body {
  /// False: nothing that can be cut up (for a person: `detail`).
  bool ok = false;
  std::string_view detail;
  /// More events than allowed; `events` is cut there.
  bool too_many = false;
  std::vector<std::string_view> events;
  /// Of a `{"batch":[…]}` body: the text of every field but `batch`, `"key":value` each.
  std::vector<std::string_view> fields;
};

/// One object, an array of them, or NDJSON (an object a line).
split_body split_events(std::string_view body, std::size_t events_max);

/// Segment's `{"batch":[…], …}`.
split_body split_batch(std::string_view body, std::size_t events_max);

/// Without blanks (JSON's four) at both ends, and without a UTF-8 byte order mark.
std::string_view trim_json(std::string_view text);

} // namespace pulse
