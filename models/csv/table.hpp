// CSV tables of numbers, as `model` and `series` read and write them: RFC 4180 with a header. Text in, table out;
// the files themselves are opened elsewhere.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace pulse::csv {

/// Splits text into records, one call each.
class record_reader {
public:
  explicit record_reader(std::string_view text);

  /// False at the end. A quoted field may hold separators, line breaks and doubled quotes; lines without any
  /// character are skipped. Errors: `malformed` for a quote that is never closed or has text behind it.
  result<bool> next(std::vector<std::string>& fields);

  /// Line that the last record began on, from 1.
  std::size_t line() const {
    return record_line_;
  }

private:
  result<std::string> quoted();

  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t line_ = 1;
  std::size_t record_line_ = 1;
};

struct numeric_table {
  std::vector<std::string> columns;
  /// Row-major; NaN for what is missing.
  std::vector<double> values;
  std::size_t rows = 0;

  std::optional<std::size_t> find(std::string_view name) const;
};

/// One column whose name has a semicolon: spreadsheets of many countries separate by these.
bool has_semicolons(const std::vector<std::string>& header);

/// A number in decimal or scientific form, `inf`, `nan`; NaN for an empty field, `NA`, `N/A`, `null`, `none`, `?`.
/// Spaces around are left out. Nothing for other text.
std::optional<double> parse_number(std::string_view field);

/// A column of words, which stands in the table by their places in `levels`; NaN for an empty field.
struct word_column {
  std::string name;
  std::vector<std::string> levels;
  /// No levels are added: a word that is not among them is -1. The column may be absent.
  bool closed = false;
};

/// Of a column that is open; more are names, not kinds.
inline constexpr std::size_t words_max = 4'096;

/// A column that `wanted` says no to is left out, and its text may be anything; empty wants all. Errors: `malformed`
/// (no header, a record of another length, text that is no number: with line and column), `invalid` (a column twice,
/// one of `words` that is not there, too many different words).
result<numeric_table> read_numbers(std::string_view text, const std::function<bool(std::string_view)>& wanted = {},
                                   std::span<word_column> words = {});

/// Quoted where it has to be.
std::string quote(std::string_view field);

/// Shortest text that reads back as the same double; empty for NaN.
std::string number(double x);

} // namespace pulse::csv
