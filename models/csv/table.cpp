// See table.hpp.
#include "models/csv/table.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>

#include <fmt/format.h>

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

result<numeric_table> read_numbers(std::string_view text, const std::function<bool(std::string_view)>& wanted) {
  record_reader in(text);
  std::vector<std::string> fields;
  auto more = in.next(fields);
  if (!more)
    return more.err();
  if (!*more)
    return error{ec::malformed, "no header line: the file is empty", {}};
  if (has_semicolons(fields))
    return at_line(1, "columns are separated by commas, not by semicolons");
  numeric_table out;
  std::set<std::string> seen;
  std::vector<bool> taken;
  for (const auto& field : fields) {
    const std::string name(trim(field));
    if (!seen.insert(name).second)
      return error{ec::invalid, fmt::format("column {} stands twice in the header", quote(name)), {}};
    taken.push_back(!wanted || wanted(name));
    if (taken.back())
      out.columns.push_back(name);
  }
  for (more = in.next(fields); more && *more; more = in.next(fields)) {
    if (fields.size() != taken.size())
      return at_line(in.line(), fmt::format("{} fields, the header has {}", fields.size(), taken.size()));
    for (std::size_t i = 0, column = 0; i < taken.size(); ++i) {
      if (!taken[i])
        continue;
      const auto x = parse_number(fields[i]);
      if (!x)
        return at_line(in.line(), fmt::format("{} in column {} is no number", quote(fields[i].substr(0, 40)),
                                              quote(out.columns[column])));
      out.values.push_back(*x);
      ++column;
    }
    ++out.rows;
  }
  if (!more)
    return more.err();
  return out;
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
