// A tenant's lists, which rules look into: all of them are one immutable version.
//
//   {"lists":{"blocked_cards":["fp_1","fp_2"],"vip":["ada"]}}
//
// Values are texts and match to the letter; a number is written as its digits. The order of values means nothing.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "models/rules/lexer.hpp"
#include "models/rules/program.hpp"

namespace pulse::rules {

inline constexpr std::size_t lists_bytes_max = 2 * 1024 * 1024;
inline constexpr std::size_t lists_max = 100;
inline constexpr std::size_t list_value_bytes_max = 256;

/// Every problem of a document of lists; none: it can be published.
std::vector<problem> check_lists(std::string_view document);

class compiled_lists final : public list_source {
public:
  /// Error: `invalid` with the first problem of check_lists.
  static result<std::shared_ptr<const compiled_lists>> compile(std::string_view document);

  /// SHA-256 in hexadecimal of the canonical bytes.
  const std::string& id() const {
    return id_;
  }

  /// Lists and values sorted, each value once, no blanks.
  const std::string& canonical() const {
    return canonical_;
  }

  const std::string& version() const override {
    return id_;
  }
  bool has(std::string_view list) const override;
  bool contains(std::string_view list, std::string_view text) const override;

  /// Names and sizes.
  std::map<std::string, std::size_t> sizes() const;

  /// The first value of a list; empty for none. For showing what would match.
  std::string_view first_of(std::string_view list) const;

private:
  compiled_lists() = default;

  std::map<std::string, std::vector<std::string>, std::less<>> lists_;
  std::string id_;
  std::string canonical_;
};

} // namespace pulse::rules
