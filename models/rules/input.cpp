#include "models/rules/input.hpp"

#include <algorithm>
#include <cstring>
#include <fmt/format.h>
#include <numeric>

#include "base/encoding.hpp"
#include "models/features/features.hpp"

namespace pulse::rules {

namespace {

struct noun {
  std::string_view name;
  rules::field field;
  rules::type type;
};

constexpr noun nouns[] = {
    {"event", field::event, type::text},
    {"type", field::type, type::text},
    {"customer", field::customer, type::text},
    {"anonymous_id", field::anonymous_id, type::text},
    {"order_id", field::order_id, type::text},
    {"email", field::email, type::text},
    {"email_domain", field::email_domain, type::text},
    {"card", field::card, type::text},
    {"device", field::device, type::text},
    {"address", field::address, type::text},
    {"ip", field::ip, type::text},
    {"ip_country", field::ip_country, type::text},
    {"billing_country", field::billing_country, type::text},
    {"shipping_country", field::shipping_country, type::text},
    {"country", field::country, type::text},
    {"region", field::region, type::text},
    {"city", field::city, type::text},
    {"store", field::store, type::text},
    {"campaign", field::campaign, type::text},
    {"coupon", field::coupon, type::text},
    {"device_type", field::device_type, type::text},
    {"browser", field::browser, type::text},
    {"os", field::os, type::text},
    {"referrer", field::referrer, type::text},
    {"user_agent", field::user_agent, type::text},
    {"currency", field::currency, type::text},
    {"amount", field::amount, type::money},
    {"items", field::items, type::number},
    {"lines", field::lines, type::number},
    {"hour", field::hour, type::number},
    {"weekday", field::weekday, type::number},
    {"bot", field::bot, type::boolean},
    {"declined", field::declined, type::boolean},
};

constexpr std::string_view entities[entity_count] = {"customer",     "card",    "device", "ip",
                                                     "email_domain", "address", "email"};
constexpr std::string_view filters[] = {"any", "orders", "refunds", "declined"};
constexpr std::size_t path_levels_max = 8;

std::vector<std::string> split(std::string_view path) {
  std::vector<std::string> out;
  for (std::size_t from = 0; from <= path.size();) {
    const auto stop = std::min(path.find('.', from), path.size());
    out.emplace_back(path.substr(from, stop - from));
    from = stop + 1;
  }
  return out;
}

/// Levenshtein's distance, cut at `max`.
std::size_t distance(std::string_view a, std::string_view b, std::size_t max) {
  if (a.size() > b.size() + max || b.size() > a.size() + max)
    return max + 1;
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    auto diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const auto swapped = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({swapped, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row[b.size()];
}

std::string text_of(const value& width) {
  return describe(width);
}

std::string filter_text(const window_spec& s) {
  if (s.filter == filter::any)
    return "";
  if (s.filter == filter::name)
    return fmt::format(", \"{}\"", s.event_name);
  return fmt::format(", {}", filters[static_cast<std::size_t>(s.filter)]);
}

} // namespace

std::string_view to_string(entity e) {
  return entities[static_cast<std::size_t>(e)];
}

std::optional<entity> parse_entity(std::string_view name) {
  const auto found = std::find(std::begin(entities), std::end(entities), name);
  if (found == std::end(entities))
    return std::nullopt;
  return static_cast<entity>(found - std::begin(entities));
}

std::uint64_t window_spec::id() const {
  const char kinds[] = {static_cast<char>(measure), static_cast<char>(of), static_cast<char>(what),
                        static_cast<char>(filter), static_cast<char>(hourly)};
  const auto hash = hash_parts({"window", {kinds, sizeof kinds}, event_name});
  std::uint64_t out = 0;
  std::memcpy(&out, hash.data(), sizeof out);
  return out;
}

std::optional<input> find_input(std::string_view name) {
  input out;
  out.name = name;
  for (const auto& n : nouns)
    if (n.name == name) {
      out.field = n.field;
      out.type = n.type;
      return out;
    }
  if (name == "model_score") {
    out.kind = input_kind::model_score;
    out.type = type::number;
    return out;
  }
  for (const auto& [prefix, kind] : {std::pair<std::string_view, input_kind>{"properties.", input_kind::property},
                                     {"context.", input_kind::context}})
    if (name.starts_with(prefix)) {
      out.kind = kind;
      out.path = split(name.substr(prefix.size()));
      return out.path.size() <= path_levels_max ? std::optional(out) : std::nullopt;
    }
  const auto& names = features::names();
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end())
    return std::nullopt;
  out.kind = input_kind::feature;
  out.type = type::number;
  out.feature = static_cast<std::size_t>(found - names.begin());
  return out;
}

std::string nearest_input(std::string_view name) {
  constexpr std::size_t far = 2;
  std::string best;
  std::size_t least = far + 1;
  const auto look = [&](std::string_view candidate) {
    if (const auto d = distance(name, candidate, far); d < least) {
      least = d;
      best = candidate;
    }
  };
  if (name.size() > 64)
    return best;
  for (const auto& n : nouns)
    look(n.name);
  for (const auto& f : features::names())
    look(f);
  look("model_score");
  return best;
}

input make_window(window_spec spec, std::int64_t width_ms) {
  input out;
  out.kind = input_kind::window;
  out.type = spec.measure == measure::sum ? type::money : type::number;
  spec.hourly = width_ms > exact_max_ms;
  const auto width = text_of(value::duration(width_ms));
  if (spec.measure == measure::distinct)
    out.name =
        fmt::format("distinct({}, {}, {}{})", to_string(spec.what), to_string(spec.of), width, filter_text(spec));
  else
    out.name = fmt::format("{}({}, {}{})", spec.measure == measure::sum ? "sum" : "velocity", to_string(spec.of), width,
                           filter_text(spec));
  out.window_id = spec.id();
  out.window = std::move(spec);
  out.width_ms = width_ms;
  return out;
}

bool is_order(std::string_view event_name) {
  return event_name == "Order Completed";
}

bool is_refund(std::string_view event_name) {
  return event_name == "Order Refunded";
}

} // namespace pulse::rules
