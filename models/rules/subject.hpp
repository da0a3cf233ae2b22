// An event as rules see it: its nouns, its entities, and what windows have to know of it. Made once an event.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "models/enrichment/enricher.hpp"
#include "models/event/json_index.hpp"
#include "models/features/entity.hpp"
#include "models/rules/input.hpp"

namespace pulse::rules {

/// Not moved or copied: views point into it and into the event, which has to outlive it.
///
/// Where nouns come from, the first that is there:
/// - card: properties `card_fingerprint`, `card_id`, `card`, or `fingerprint` or `id` in `payment_method`, `payment`,
///   `card`; device: `context.device.id`, properties `device_id`, `device_fingerprint`; coupon: `coupon`,
///   `coupon_code`;
/// - address: the shipping address's (else the billing one's) street, post code and country, without case and blanks;
/// - billing_country, shipping_country: the country of that address, as ISO 3166-1 alpha-2 where it is known;
/// - ip_country: by the geo table from the client's address;
/// - declined: the event's name (`Payment Failed` ...) or a `status` or `payment_status` of declined, failed, refused
///   or rejected; hour and weekday (1 is Monday) in UTC.
class subject {
public:
  subject(const event& e, const enrichment_data& data);
  subject(const subject&) = delete;
  subject& operator=(const subject&) = delete;

  const event& of() const {
    return event_;
  }

  /// Not known for what needs more than the event: windows, features, the model's score.
  value read(const input& i) const;

  /// Name of an entity within its tenant; nothing when the event names none.
  const std::optional<features::key>& entity_key(entity e) const {
    return keys_[static_cast<std::size_t>(e)];
  }

  std::string_view entity_text(entity e) const {
    return entities_[static_cast<std::size_t>(e)];
  }

  bool counts_for(const window_spec& spec) const;

private:
  value read_field(field f) const;
  void read_entities();
  void read_countries(const enrichment_data& data);
  std::string country_of(const json_node* address, const enrichment_data& data) const;

  const event& event_;
  json_index properties_;
  json_index context_;
  std::array<std::string, entity_count> entities_;
  std::array<std::optional<features::key>, entity_count> keys_;
  std::string ip_country_;
  std::string billing_country_;
  std::string shipping_country_;
  std::string coupon_;
  std::string currency_;
  bool declined_ = false;
};

} // namespace pulse::rules
