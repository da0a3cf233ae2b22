// See series.hpp.
#include "models/series/series.hpp"

#include <algorithm>
#include <charconv>
#include <map>

#include <fmt/format.h>

#include "models/csv/table.hpp"

namespace pulse::series {

namespace {

error at_line(std::size_t line, std::string_view what, ec code = ec::malformed) {
  return {code, fmt::format("line {}: {}", line, what), fmt::format("line {}", line)};
}

/// Seconds or milliseconds since 1970 are a frequent form, and no year: said apart.
std::string no_timestamp(const std::string& field) {
  const bool number = !field.empty() && field.find_first_not_of("0123456789.+-eE") == field.npos &&
                      csv::parse_number(field).has_value();
  return fmt::format("{} is no timestamp{}: 2026-03-01T06:00:00Z, 2026-03-01 06:00:00 or 2026-03-01 is wanted",
                     csv::quote(field.substr(0, 40)), number ? " but a number" : "");
}

} // namespace

std::optional<std::int64_t> parse_duration(std::string_view text) {
  std::int64_t n = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), n);
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  const auto factor = unit == "s"   ? second_ms
                      : unit == "m" ? minute_ms
                      : unit == "h" ? hour_ms
                      : unit == "d" ? day_ms
                      : unit == "w" ? 7 * day_ms
                                    : 0;
  if (problem != std::errc{} || factor == 0 || n <= 0 || n > 100'000)
    return std::nullopt;
  return n * factor;
}

std::optional<time_ms> parse_timestamp(std::string_view text) {
  if (const auto t = parse_time(text))
    return t;
  return parse_time(std::string(text) + "Z");
}

std::string format_like(time_ms t, std::string_view like) {
  auto out = format_time(t);
  // 2026-11-24T01:47:09.123Z
  out = out.substr(0, 19);
  if (like.size() <= 10 && t.value % day_ms == 0)
    return out.substr(0, 10);
  if (like.find('T') == like.npos && like.find('t') == like.npos)
    out[10] = ' ';
  return !like.empty() && (like.back() == 'Z' || like.find('+') != like.npos) ? out + 'Z' : out;
}

result<std::vector<point>> read_points(std::string_view csv_text) {
  csv::record_reader in(csv_text);
  std::vector<std::string> fields;
  auto more = in.next(fields);
  if (!more)
    return more.err();
  const auto column = [&](std::string_view name) {
    return static_cast<std::size_t>(std::find(fields.begin(), fields.end(), name) - fields.begin());
  };
  if (csv::has_semicolons(fields))
    return at_line(1, "columns are separated by commas, not by semicolons");
  const auto time_column = column("timestamp"), value_column = column("value"), width = fields.size();
  if (!*more || time_column == width || value_column == width)
    return at_line(1, "the header needs the columns timestamp and value");
  std::vector<point> out;
  for (more = in.next(fields); more && *more; more = in.next(fields)) {
    if (fields.size() != width)
      return at_line(in.line(), fmt::format("{} fields, the header has {}", fields.size(), width));
    const auto at = parse_timestamp(fields[time_column]);
    const auto value = csv::parse_number(fields[value_column]);
    if (!at)
      return at_line(in.line(), no_timestamp(fields[time_column]));
    if (!value)
      return at_line(in.line(), fmt::format("{} is no number", csv::quote(fields[value_column].substr(0, 40))));
    if (!out.empty() && *at < out.back().at)
      return at_line(in.line(), "timestamps have to rise", ec::invalid);
    out.push_back({*at, *value, fields[time_column]});
  }
  if (!more)
    return more.err();
  return out;
}

std::int64_t usual_step_ms(const std::vector<point>& points) {
  std::map<std::int64_t, std::size_t> seen;
  for (std::size_t i = 1; i < points.size(); ++i)
    if (const auto step = points[i].at.value - points[i - 1].at.value; step > 0)
      ++seen[step];
  const auto most =
      std::max_element(seen.begin(), seen.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  return most == seen.end() ? 0 : most->first;
}

} // namespace pulse::series
