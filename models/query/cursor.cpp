#include "models/query/cursor.hpp"

#include <algorithm>

#include "base/encoding.hpp"

namespace pulse::query {

namespace {

/// The form's version, the question, the id.
constexpr char version = 1;
constexpr std::size_t cursor_bytes = 1 + 8 + 16;

} // namespace

fingerprint fingerprint_of(std::string_view question) {
  fingerprint out;
  const auto all = hash_parts({question});
  std::copy_n(all.begin(), out.size(), out.begin());
  return out;
}

std::string write_cursor(const fingerprint& question, const uuid& last) {
  std::string bytes(1, version);
  bytes.append(reinterpret_cast<const char*>(question.data()), question.size());
  bytes.append(reinterpret_cast<const char*>(last.bytes.data()), last.bytes.size());
  return to_base64url(bytes);
}

result<uuid> read_cursor(const fingerprint& question, std::string_view text) {
  const auto bytes = from_base64(text);
  if (!bytes || bytes->size() != cursor_bytes || bytes->front() != version)
    return error{ec::invalid, "cursor: not one that this list gave out; start without it", "/cursor"};
  const auto same = std::equal(question.begin(), question.end(), bytes->begin() + 1,
                               [](std::uint8_t a, char b) { return a == static_cast<std::uint8_t>(b); });
  if (!same)
    return error{ec::invalid, "cursor: given out for other filters or another order; start without it", "/cursor"};
  uuid out;
  std::transform(bytes->begin() + 9, bytes->end(), out.bytes.begin(),
                 [](char c) { return static_cast<std::uint8_t>(c); });
  return out;
}

} // namespace pulse::query
