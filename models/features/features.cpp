// See features.hpp.
#include "models/features/features.hpp"

#include <cmath>

#include <fmt/format.h>

namespace pulse::features {

namespace {

enum class scale { plain, logarithm, flag, rarity, deviations, ratio };

struct description {
  const char* name;
  const char* text;
  scale unit;
  /// 1: more of it never makes fraud less likely.
  int monotone = 0;
  bool one_sided = false;
  bool labels_only = false;
};

/// The order of `compute`.
constexpr std::array<description, count> all{{
    {"amount_vs_customer", "amount against this customer's usual one", scale::deviations},
    {"amount_vs_tenant", "amount against the usual one of such events", scale::deviations},
    {"amount_vs_category", "amount against this customer's usual one in the category", scale::deviations},
    {"items", "items", scale::logarithm},
    {"customer_events_1h", "customer's events in 1 h", scale::logarithm},
    {"customer_events_24h", "customer's events in 24 h", scale::logarithm},
    {"customer_amount_1h", "customer's amount in 1 h", scale::logarithm, 0, true},
    {"customer_amount_24h", "customer's amount in 24 h", scale::logarithm, 0, true},
    {"seconds_since_last", "seconds since the customer's last event", scale::logarithm},
    {"customer_age", "seconds since the customer was first seen", scale::logarithm},
    {"new_country", "country new for this customer", scale::flag, 1},
    {"new_device", "device new for this customer", scale::flag, 1},
    {"new_ip", "address new for this customer", scale::flag, 1},
    {"hour_rarity", "share of the customer's events at this hour of day", scale::rarity},
    {"ip_events_1h", "events from this address in 1 h", scale::logarithm},
    {"ip_customers_24h", "customers from this address in 24 h", scale::logarithm, 1},
    {"new_category", "category new for this customer", scale::flag},
    {"card_payments_1h", "payments by this card in 1 h", scale::logarithm},
    {"card_payments_24h", "payments by this card in 24 h", scale::logarithm},
    {"card_amount_24h", "amount by this card in 24 h", scale::logarithm, 0, true},
    {"card_customers_24h", "customers of this card in 24 h", scale::logarithm, 1},
    {"device_payments_24h", "payments from this device in 24 h", scale::logarithm},
    {"device_cards_24h", "cards on this device in 24 h", scale::logarithm, 1},
    {"device_customers_24h", "customers on this device in 24 h", scale::logarithm, 1},
    {"device_coupons_7d", "payments with a coupon from this device in 7 days", scale::logarithm},
    {"ip_cards_24h", "cards from this address in 24 h", scale::logarithm, 1},
    {"address_customers_24h", "customers of this postal address in 24 h", scale::logarithm, 1},
    {"domain_payments_1h", "payments by this e-mail domain in 1 h", scale::logarithm},
    {"customer_cards_24h", "cards of this customer in 24 h", scale::logarithm, 1},
    {"customer_devices_24h", "devices of this customer in 24 h", scale::logarithm, 1},
    {"customer_payments_7d", "customer's payments in 7 days", scale::logarithm},
    {"customer_refunds_7d", "customer's refunds in 7 days", scale::logarithm},
    {"failed_payments_1h", "failed payments before this one in 1 h", scale::logarithm, 1},
    {"fraud_lift", "times as often fraud as usual: card, device, address or customer", scale::ratio, 1},
    {"domain_fraud_lift", "times as often fraud as usual: e-mail domain", scale::ratio, 1},
    {"ip_abroad", "IP address in another country than the postal address", scale::flag, 1},
    {"hour_of_day", "hour of day (UTC)", scale::plain, 0, false, true},
}};

/// One column of the table, feature by feature.
template <class T, class Member>
std::vector<T> column(Member description::*member) {
  std::vector<T> list;
  for (const auto& d : all)
    list.emplace_back(d.*member);
  return list;
}

} // namespace

const std::vector<std::string>& names() {
  static const auto out = column<std::string>(&description::name);
  return out;
}

double natural(std::size_t feature, double value) {
  if (all[feature].unit == scale::rarity)
    return std::exp(-value);
  if (all[feature].unit == scale::ratio)
    return std::exp(value);
  if (all[feature].unit != scale::logarithm)
    return value;
  return std::copysign(std::expm1(std::abs(value)), value);
}

const std::vector<int>& monotone() {
  static const auto out = column<int>(&description::monotone);
  return out;
}

const std::vector<bool>& one_sided() {
  static const auto out = column<bool>(&description::one_sided);
  return out;
}

const std::vector<bool>& labels_only() {
  static const auto out = column<bool>(&description::labels_only);
  return out;
}

namespace {

/// A distance in standard deviations as one says it.
std::string above_or_below(double v) {
  return fmt::format("{:.1f} standard deviations {}", std::abs(v), v < 0 ? "below" : "above");
}

/// As a shop writes it: two decimals at most, thousands apart.
std::string number(double v) {
  auto text = fmt::format("{:.{}f}", v, std::abs(v) < 10000 ? 2 : 0);
  if (text.find('.') != std::string::npos) {
    text.erase(text.find_last_not_of('0') + 1);
    if (text.back() == '.')
      text.pop_back();
  }
  const std::size_t first = text.front() == '-' ? 1 : 0;
  for (auto at = std::min(text.find('.'), text.size()); at > first + 3;)
    text.insert(at -= 3, ",");
  return text == "-0" ? "0" : text;
}

std::string in_words(const description& d, double v) {
  switch (d.unit) {
    case scale::flag: return fmt::format("{}: {}", d.text, v > 0.5 ? "yes" : "no");
    case scale::rarity: return fmt::format("{}: {:.2f} of an even spread", d.text, v);
    case scale::deviations: return fmt::format("{}: {}", d.text, above_or_below(v));
    case scale::ratio: return fmt::format("{}: {:.1f}", d.text, v);
    case scale::logarithm:
    case scale::plain: break;
  }
  return fmt::format("{}: {}", d.text, number(v));
}

} // namespace

std::string describe(std::size_t feature, double value) {
  if (std::isnan(value))
    return fmt::format("{}: not known", all[feature].text);
  return in_words(all[feature], natural(feature, value));
}

std::string describe(std::size_t feature, double value, double typical) {
  const auto& d = all[feature];
  auto out = describe(feature, value);
  if (std::isnan(value) || d.unit == scale::flag)
    return out;
  const auto t = natural(feature, typical);
  if (d.unit == scale::rarity)
    return out + fmt::format(" (usually {:.2f})", t);
  if (d.unit == scale::deviations)
    return std::abs(t) < 0.5 ? out : out + fmt::format(" (usually {})", above_or_below(t));
  return out + fmt::format(" (usually {})", number(t));
}

} // namespace pulse::features
