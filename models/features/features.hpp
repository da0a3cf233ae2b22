// The numbers a detector sees of an event: what it is, against what its customer, its address and its tenant did
// before, in event time. Fixed names in a fixed order; a model that was fitted on others is refused.
#pragma once

#include <array>
#include <span>
#include <string>
#include <vector>

#include "models/features/linked.hpp"

namespace pulse::features {

/// All in one order. What is harmless however far it goes is cut off there, so that only the side that matters is
/// unusual:
/// - amount_vs_customer, amount_vs_tenant, amount_vs_category: deviations of ln(1 + |amount|) (units of the currency,
///   with the amount's sign) from the customer's usual one (shrunk to the tenant's with the weight of three events),
///   from the tenant's for events of this name, from the customer's in the category of the first line (shrunk to the
///   customer's with the weight of three); not below -1.
/// - items: ln(1 + quantity over all lines).
/// - customer_events_1h/24h, ip_events_1h: ln(1 + events in (t - width, t], this one included).
/// - customer_amount_1h/24h: signed ln(1 + amount) over the same windows.
/// - seconds_since_last: ln(1 + seconds), up to a day, since the customer's latest event not after this one.
/// - customer_age: ln(1 + seconds), up to 30 days, since the customer was first seen.
/// - new_country, new_device, new_ip: 1 when the customer had others and never (in the last eight) this one, else 0.
/// - hour_rarity: -ln(24 * share of the customer's events in this hour of day (UTC), shrunk to the tenant's with the
///   weight of ten); not below 0.
/// - ip_customers_24h: ln(1 + different customers from this address in 24 h).
/// - new_category: 1 when the customer bought in others and never (in the last sixteen) in that of the first line.
/// Of payments alone (events with an amount, and declined ones), this one included; see linked.hpp:
/// - card_payments_1h/24h, device_payments_24h, domain_payments_1h: ln(1 + payments by the card, device, e-mail
/// domain).
/// - card_amount_24h: signed ln(1 + amount).
/// - card_customers_24h, device_customers_24h, address_customers_24h, device_cards_24h, ip_cards_24h,
/// customer_cards_24h,
///   customer_devices_24h: ln(1 + different ones).
/// - customer_payments_7d, customer_refunds_7d, device_coupons_7d: ln(1 + payments, refunds, payments with a coupon) by
///   the hour of event time.
/// - failed_payments_1h: ln(1 + declined payments of the customer, the card or the device, whichever has most).
/// - fraud_lift: how much more often than the tenant's payments those of the customer, card, device, IP address or
///   postal address turned out as fraud, by labels received before, as a logarithm; domain_fraud_lift: those of the
///   e-mail domain.
/// - ip_abroad: 1 when the IP address is in another country than the postal address, else 0.
/// - hour_of_day: 0 to 23, of event time (UTC). Only labels say which hours are bad ones; how unusual an hour is,
///   hour_rarity says.
/// Missing (NaN) where the event or the history does not carry it.
const std::vector<std::string>& names();

inline constexpr std::size_t count = 37;

/// The first of them, that every model is fitted on; the others only where the tenant's events carry them.
inline constexpr std::size_t base_count = 16;

/// float32, as it is stored: a score is recomputed from what was stored, bit for bit.
using row = std::array<float, count>;

/// What was known before the event; null where there is nothing.
struct history {
  const profile* customer = nullptr;
  const address* ip = nullptr;
  /// Of all events, and of those with this event's name.
  const population* tenant = nullptr;
  const population* same_name = nullptr;
  /// Of payments alone.
  linked_history links;
};

row compute(const event& e, const facts& f, const history& before);

/// A feature's value as people read it: logarithms undone.
double natural(std::size_t feature, double value);

/// `customer events in 1 h: 12`.
std::string describe(std::size_t feature, double value);

/// Per feature: 1 where more of it must not lower the risk of fraud, 0 for no rule.
const std::vector<int>& monotone();

/// Per feature: true where less than usual is harmless to a detector of what is unusual; see
/// detection::fit_options::one_sided. What is usual is the model's to say: a limit that moved with the tenant's events
/// would push ordinary ones out of the range that the model was fitted on.
const std::vector<bool>& one_sided();

/// Per feature: true where no value is unusual by itself, so that a model without labels does not look at it.
const std::vector<bool>& labels_only();

/// `customer events in 1 h: 12 (usually 1)`: from the stored feature and the model's typical value alone.
std::string describe(std::size_t feature, double value, double typical);

} // namespace pulse::features
