// See table.hpp.
#include "models/csv/table.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>
#include <unordered_map>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace pulse::csv {

namespace {

constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";

std::string_view trim(std::string_view s) {
  const auto space = [](char c) {
    return c == ' ' || c == '\t';
  };
  while (!s.empty() && space(s.front()))
    s.remove_prefix(1);
  while (!s.empty() && space(s.back()))
    s.remove_suffix(1);
  return s;
}

bool means_missing(std::string_view s) {
  std::string lower(s);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return lower.empty() || lower == "na" || lower == "n/a" || lower == "null" || lower == "none" || lower == "?";
}

error at_line(std::size_t line, std::string_view what) {
  return {ec::malformed, fmt::format("line {}: {}", line, what), fmt::format("line {}", line)};
}

} // namespace

record_reader::record_reader(std::string_view text) : text_(text) {
  // Spreadsheets put a byte order mark in front.
  if (text_.starts_with(byte_order_mark))
    at_ = byte_order_mark.size();
}

result<std::string> record_reader::quoted() {
  std::string out;
  for (++at_; at_ < text_.size(); ++at_) {
    const auto c = text_[at_];
    if (c != '"') {
      line_ += c == '\n';
      out.push_back(c);
    } else if (text_.substr(at_ + 1, 1) == "\"") {
      out.push_back('"');
      ++at_;
    } else {
      ++at_;
      if (at_ < text_.size() && text_[at_] != ',' && text_[at_] != '\n' && text_[at_] != '\r')
        return at_line(line_, "text behind a closing quote");
      return out;
    }
  }
  return at_line(record_line_, "a quote is never closed");
}

result<bool> record_reader::next(std::vector<std::string>& fields) {
  fields.clear();
  while (at_ < text_.size() && (text_[at_] == '\n' || text_[at_] == '\r'))
    line_ += text_[at_++] == '\n';
  record_line_ = line_;
  if (at_ >= text_.size())
    return false;
  for (;;) {
    if (at_ < text_.size() && text_[at_] == '"') {
      auto field = quoted();
      if (!field)
        return field.err();
      fields.push_back(std::move(*field));
    } else {
      const auto end = std::min(text_.find_first_of(",\r\n", at_), text_.size());
      fields.emplace_back(text_.substr(at_, end - at_));
      at_ = end;
    }
    if (at_ >= text_.size() || text_[at_] != ',')
      break;
    ++at_;
  }
  return true;
}

std::optional<std::size_t> numeric_table::find(std::string_view name) const {
  const auto at = std::find(columns.begin(), columns.end(), name);
  if (at == columns.end())
    return std::nullopt;
  return static_cast<std::size_t>(at - columns.begin());
}

bool has_semicolons(const std::vector<std::string>& header) {
  return header.size() == 1 && header[0].find(';') != std::string::npos;
}

std::optional<double> parse_number(std::string_view field) {
  auto s = trim(field);
  if (means_missing(s))
    return NAN;
  if (s.front() == '+' && s.size() > 1 && s[1] != '-')
    s.remove_prefix(1);
  double x = 0;
  const auto [end, problem] = std::from_chars(s.data(), s.data() + s.size(), x);
  if (end != s.data() + s.size() || (problem != std::errc{} && problem != std::errc::result_out_of_range))
    return std::nullopt;
  if (problem == std::errc::result_out_of_range) {
    // Too large or too small for a double; from_chars does not say which, the exponent's sign does.
    const auto e = s.find_first_of("eE");
    const auto small = e != s.npos ? s.substr(e + 1, 1) == "-" : s.substr(0, 2) == "0." || s.substr(0, 3) == "-0.";
    x = small ? 0.0 : INFINITY;
    return s.front() == '-' ? -x : x;
  }
  return x;
}

namespace {

/// The words of one column as they come.
class word_reader {
public:
  explicit word_reader(word_column& of) : of_(of) {
    for (std::size_t i = 0; i < of_.levels.size(); ++i)
      places_.emplace(of_.levels[i], i);
  }

  /// Nothing when there are too many.
  std::optional<double> read(std::string_view field) {
    const std::string word(trim(field));
    // NA is Namibia, and none may be a kind.
    if (word.empty())
      return NAN;
    if (const auto at = places_.find(word); at != places_.end())
      return static_cast<double>(at->second);
    if (of_.closed)
      return -1;
    if (of_.levels.size() == words_max)
      return std::nullopt;
    places_.emplace(word, of_.levels.size());
    of_.levels.push_back(word);
    return static_cast<double>(of_.levels.size() - 1);
  }

private:
  word_column& of_;
  std::unordered_map<std::string, std::size_t> places_;
};

/// What is read of a file: the columns that are wanted, and how.
struct reading {
  numeric_table table;
  std::vector<bool> taken;
  /// Of each column that is taken; nothing for numbers.
  std::vector<std::optional<word_reader>> words;
};

result<reading> read_header(const std::vector<std::string>& fields, const std::function<bool(std::string_view)>& wanted,
                            std::span<word_column> words) {
  reading out;
  std::set<std::string> seen;
  for (const auto& field : fields) {
    const std::string name(trim(field));
    if (!seen.insert(name).second)
      return error{ec::invalid, fmt::format("column {} stands twice in the header", quote(name)), {}};
    out.taken.push_back(!wanted || wanted(name));
    if (!out.taken.back())
      continue;
    out.table.columns.push_back(name);
    const auto word = std::find_if(words.begin(), words.end(), [&](const auto& w) { return w.name == name; });
    out.words.push_back(word == words.end() ? std::nullopt : std::optional<word_reader>(*word));
  }
  for (const auto& w : words)
    if (!w.closed && !out.table.find(w.name))
      return error{ec::invalid,
                   fmt::format("there is no column {}: it has {}", quote(w.name), fmt::join(out.table.columns, ", ")),
                   {}};
  return out;
}

} // namespace

result<numeric_table> read_numbers(std::string_view text, const std::function<bool(std::string_view)>& wanted,
                                   std::span<word_column> words) {
  record_reader in(text);
  std::vector<std::string> fields;
  auto more = in.next(fields);
  if (!more)
    return more.err();
  if (!*more)
    return error{ec::malformed, "no header line: the file is empty", {}};
  if (has_semicolons(fields))
    return at_line(1, "columns are separated by commas, not by semicolons");
  auto how = read_header(fields, wanted, words);
  if (!how)
    return how.err();
  auto& out = how->table;
  for (more = in.next(fields); more && *more; more = in.next(fields)) {
    if (fields.size() != how->taken.size())
      return at_line(in.line(), fmt::format("{} fields, the header has {}", fields.size(), how->taken.size()));
    for (std::size_t i = 0, column = 0; i < fields.size(); ++i) {
      if (!how->taken[i])
        continue;
      const auto& name = out.columns[column];
      auto& word = how->words[column++];
      const auto x = word ? word->read(fields[i]) : parse_number(fields[i]);
      if (!x && word)
        return error{ec::invalid,
                     fmt::format("column {} has more than {} different words: it names rows, not kinds of them",
                                 quote(name), words_max),
                     {}};
      if (!x)
        return at_line(in.line(),
                       fmt::format("{} in column {} is no number", quote(fields[i].substr(0, 40)), quote(name)));
      out.values.push_back(*x);
    }
    ++out.rows;
  }
  if (!more)
    return more.err();
  return std::move(out);
}

std::string quote(std::string_view field) {
  // A byte order mark in front would be taken for the file's.
  if (field.find_first_of(",\"\r\n") == field.npos && !field.starts_with(byte_order_mark))
    return std::string(field);
  std::string out = "\"";
  for (auto c : field) {
    if (c == '"')
      out.push_back('"');
    out.push_back(c);
  }
  return out + '"';
}

std::string number(double x) {
  return std::isnan(x) ? std::string{} : fmt::format("{}", x);
}

} // namespace pulse::csv
