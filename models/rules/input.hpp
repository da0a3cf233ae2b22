// What a rule can ask of an event: fields, the client's own properties, features of the model, and windows over what an
// entity did before. The names here are the language's nouns.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "models/event/event.hpp"
#include "models/rules/value.hpp"

namespace pulse::rules {

/// Whose past a window counts.
enum class entity : std::uint8_t { customer, card, device, ip, email_domain, address, email };
inline constexpr std::size_t entity_count = 7;

std::string_view to_string(entity e);
std::optional<entity> parse_entity(std::string_view name);

enum class field : std::uint8_t {
  event,
  type,
  customer,
  anonymous_id,
  order_id,
  email,
  email_domain,
  card,
  device,
  address,
  ip,
  ip_country,
  billing_country,
  shipping_country,
  country,
  region,
  city,
  store,
  campaign,
  coupon,
  device_type,
  browser,
  os,
  referrer,
  user_agent,
  currency,
  amount,
  items,
  lines,
  hour,
  weekday,
  bot,
  declined,
};

enum class measure : std::uint8_t { count, sum, distinct };
/// Which events a window counts; `name`: those of one name.
enum class filter : std::uint8_t { any, orders, refunds, declined, name };

inline constexpr std::int64_t window_min_ms = minute_ms;
inline constexpr std::int64_t window_max_ms = 30 * day_ms;
/// Windows up to here are exact to the millisecond; longer ones go by hours of event time.
inline constexpr std::int64_t exact_max_ms = day_ms;

/// What is remembered: windows of any width over the same events share it.
struct window_spec {
  rules::measure measure = measure::count;
  entity of = entity::customer;
  /// Only of `distinct`: what is counted.
  entity what = entity::customer;
  rules::filter filter = filter::any;
  /// Only of filter::name.
  std::string event_name;
  /// By hours instead of exactly.
  bool hourly = false;

  bool operator==(const window_spec&) const = default;

  /// Names it among the tenant's state: the same spec in another rule set goes on with what was counted.
  std::uint64_t id() const;
};

enum class input_kind : std::uint8_t { field, property, context, window, feature, model_score };

struct input {
  input_kind kind = input_kind::field;
  /// As a rule writes it, in one form.
  std::string name;
  rules::type type = type::any;
  rules::field field = field::event;
  /// Keys below `properties` or `context`.
  std::vector<std::string> path;
  window_spec window;
  /// window.id(), worked out once.
  std::uint64_t window_id = 0;
  std::int64_t width_ms = 0;
  /// Index into features::names().
  std::size_t feature = 0;

  /// Cannot be read again from the stored event and features alone (countries need the tables of the day), so its value
  /// has to be kept with the score.
  bool is_kept() const {
    return kind == input_kind::window ||
           (kind == input_kind::field &&
            (field == field::ip_country || field == field::billing_country || field == field::shipping_country));
  }
};

/// A noun without parentheses. Nothing for a name that means nothing.
std::optional<input> find_input(std::string_view name);

/// The noun that is spelled most like it; empty where none is near.
std::string nearest_input(std::string_view name);

input make_window(window_spec spec, std::int64_t width_ms);

/// The event's kind for windows: declined payments say so by name or by a status.
bool is_order(std::string_view event_name);
bool is_refund(std::string_view event_name);

} // namespace pulse::rules
