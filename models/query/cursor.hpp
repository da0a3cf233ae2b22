// The opaque cursor of a list: the last id of a page, bound to the question that the page answered. Nothing secret is
// in it and nothing is granted by it: another tenant's cursor points into one's own rows.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "base/ids.hpp"

namespace pulse::query {

/// Names a question: its filters and its order, without limit and cursor.
using fingerprint = std::array<std::uint8_t, 8>;

fingerprint fingerprint_of(std::string_view question);

/// Base64url without padding.
std::string write_cursor(const fingerprint& question, const uuid& last);

/// `invalid` for what is no cursor, and for the cursor of another question.
result<uuid> read_cursor(const fingerprint& question, std::string_view text);

} // namespace pulse::query
