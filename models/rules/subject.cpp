#include "models/rules/subject.hpp"

#include <algorithm>

#include "base/encoding.hpp"
#include "models/event/names.hpp"
#include "models/event/standard_fields.hpp"

namespace pulse::rules {

namespace {

std::string lowered(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return out;
}

value text_or_unknown(std::string_view text) {
  return text.empty() ? value{} : value::of(text);
}

std::string first_text(const json_index& index, const json_node* parent, std::initializer_list<std::string_view> keys) {
  for (auto key : keys)
    if (const auto text = read_id(index.find(parent, key)); !text.empty())
      return std::string(text);
  return {};
}

const json_node* first_object(const json_index& index, std::initializer_list<std::string_view> keys) {
  for (auto key : keys)
    if (const auto* node = index.find(index.root(), key); node != nullptr && node->kind == json_kind::object)
      return node;
  return nullptr;
}

/// Without case, blanks and punctuation, so that the same house is one.
std::string squeezed(std::string_view text) {
  auto out = lowered(text);
  std::erase_if(out, [](char c) { return c == ' ' || c == '.' || c == ',' || c == '-' || c == '\t'; });
  return out;
}

std::string address_text(const json_index& index, const json_node* address) {
  const auto street = first_text(index, address, {"address1", "street", "line1", "address"});
  const auto code = first_text(index, address, {"zip", "postal_code", "postalCode", "post_code", "postcode"});
  if (street.empty() || code.empty())
    return {};
  const auto country = first_text(index, address, {"country_code", "countryCode", "country"});
  return squeezed(street) + "|" + squeezed(code) + "|" + squeezed(country);
}

std::string domain_of(std::string_view email) {
  const auto at = email.rfind('@');
  return at == std::string_view::npos ? std::string{} : lowered(email.substr(at + 1));
}

value of_node(const json_node* node) {
  if (node == nullptr)
    return {};
  switch (node->kind) {
    case json_kind::string: return value::of(node->text);
    case json_kind::boolean: return value::of(node->text == "true");
    case json_kind::number: {
      const auto parsed = parse_decimal(node->text);
      return parsed ? value::micro(parsed->micro) : value{};
    }
    default: return {};
  }
}

const json_node* down(const json_index& index, const std::vector<std::string>& path) {
  const auto* node = index.root();
  for (const auto& key : path)
    node = index.find(node, key);
  return node;
}

/// Minor units to millionths of the unit; nothing when they do not fit.
value money_value(const money& m) {
  auto out = m.minor;
  for (auto digits = minor_digits(m.unit); digits < 6; ++digits)
    if (__builtin_mul_overflow(out, std::int64_t{10}, &out))
      return {};
  return value::money_micro(out, m.unit);
}

} // namespace

subject::subject(const event& e, const enrichment_data& data) : event_(e) {
  properties_.parse(e.properties);
  context_.parse(e.context);
  read_addresses(data);
  read_entities();
  if (data.geo != nullptr && !e.ip.empty())
    ip_country_ = data.geo->find(e.ip);
  coupon_ = first_text(properties_, properties_.root(), {"coupon", "coupon_code", "couponCode"});
  if (e.amount)
    currency_ = e.amount->unit.str();
  declined_ = read_declined();
}

std::string subject::country_of(const json_node* address, const enrichment_data& data) const {
  const auto given = first_text(properties_, address, {"country_code", "countryCode", "country"});
  const auto code = data.countries == nullptr ? std::string_view{} : data.countries->find(given);
  return code.empty() ? given : std::string(code);
}

void subject::read_addresses(const enrichment_data& data) {
  const auto* shipping = first_object(properties_, {"shipping_address", "shippingAddress", "shipping"});
  const auto* billing = first_object(properties_, {"billing_address", "billingAddress", "billing"});
  shipping_country_ = country_of(shipping, data);
  billing_country_ = country_of(billing, data);
  auto& address = entities_[static_cast<std::size_t>(entity::address)];
  address = address_text(properties_, shipping);
  if (address.empty())
    address = address_text(properties_, billing);
}

std::string subject::read_card() const {
  auto card = first_text(properties_, properties_.root(), {"card_fingerprint", "cardFingerprint", "card_id", "card"});
  for (auto key : {"payment_method", "paymentMethod", "payment", "card"})
    if (card.empty())
      card = first_text(properties_, first_object(properties_, {key}),
                        {"card_fingerprint", "fingerprint", "card_id", "id"});
  return card;
}

void subject::read_entities() {
  const auto set = [this](entity e, std::string text) {
    entities_[static_cast<std::size_t>(e)] = std::move(text);
  };
  set(entity::customer, event_.customer.empty() ? event_.anonymous_id : event_.customer);
  set(entity::card, read_card());
  auto device = first_text(context_, context_.at({"device"}), {"id"});
  if (device.empty())
    device = first_text(properties_, properties_.root(), {"device_id", "deviceId", "device_fingerprint"});
  set(entity::device, std::move(device));
  set(entity::ip, event_.ip);
  set(entity::email, lowered(event_.email));
  set(entity::email_domain, domain_of(event_.email));
  for (std::size_t i = 0; i < entity_count; ++i)
    if (!entities_[i].empty())
      keys_[i] = hash_parts({to_string(static_cast<entity>(i)), entities_[i]});
}

bool subject::read_declined() const {
  if (std::find(payment_failed_names.begin(), payment_failed_names.end(), event_.name) != payment_failed_names.end())
    return true;
  auto status = lowered(first_text(properties_, properties_.root(), {"payment_status", "paymentStatus", "status"}));
  if (status.empty())
    status = lowered(first_text(properties_, first_object(properties_, {"payment"}), {"status"}));
  return status == "declined" || status == "failed" || status == "refused" || status == "rejected";
}

bool subject::counts_for(const window_spec& spec) const {
  switch (spec.filter) {
    case filter::any: return true;
    case filter::orders: return is_order(event_.name);
    case filter::refunds: return is_refund(event_.name);
    case filter::declined: return declined_;
    case filter::name: return event_.name == spec.event_name;
  }
  return false;
}

value subject::read(const input& i) const {
  switch (i.kind) {
    case input_kind::field: return read_field(i.field);
    case input_kind::property: return of_node(down(properties_, i.path));
    case input_kind::context: return of_node(down(context_, i.path));
    default: return {};
  }
}

value subject::read_field(field f) const {
  const auto& e = event_;
  const auto entity_value = [this](entity which) {
    return text_or_unknown(entity_text(which));
  };
  switch (f) {
    case field::event: return text_or_unknown(e.name);
    case field::type: return text_or_unknown(e.type);
    case field::customer: return text_or_unknown(e.customer);
    case field::anonymous_id: return text_or_unknown(e.anonymous_id);
    case field::order_id: return text_or_unknown(e.order_id);
    case field::email: return entity_value(entity::email);
    case field::email_domain: return entity_value(entity::email_domain);
    case field::card: return entity_value(entity::card);
    case field::device: return entity_value(entity::device);
    case field::address: return entity_value(entity::address);
    case field::ip: return text_or_unknown(e.ip);
    case field::ip_country: return text_or_unknown(ip_country_);
    case field::billing_country: return text_or_unknown(billing_country_);
    case field::shipping_country: return text_or_unknown(shipping_country_);
    case field::country: return text_or_unknown(e.country);
    case field::region: return text_or_unknown(e.region);
    case field::city: return text_or_unknown(e.city);
    case field::store: return text_or_unknown(e.store);
    case field::campaign: return text_or_unknown(e.campaign);
    case field::coupon: return text_or_unknown(coupon_);
    case field::device_type: return text_or_unknown(e.device);
    case field::browser: return text_or_unknown(e.browser);
    case field::os: return text_or_unknown(e.os);
    case field::referrer: return text_or_unknown(e.referrer);
    case field::user_agent: return text_or_unknown(e.user_agent);
    case field::currency: return text_or_unknown(currency_);
    case field::amount: return e.amount ? money_value(*e.amount) : value{};
    case field::items: {
      std::int64_t sum = 0;
      for (const auto& line : e.products)
        if (__builtin_add_overflow(sum, line.quantity.micro, &sum))
          return {};
      return e.products.empty() ? value{} : value::micro(sum);
    }
    case field::lines: return value::whole(static_cast<std::int64_t>(e.products.size()));
    case field::hour: return value::whole(((e.occurred_at.value % day_ms) + day_ms) % day_ms / hour_ms);
    case field::weekday: {
      // 1970-01-01 was a Thursday.
      const auto days = e.occurred_at.value / day_ms - (e.occurred_at.value % day_ms < 0 ? 1 : 0);
      return value::whole(((days + 3) % 7 + 7) % 7 + 1);
    }
    case field::bot: return value::of(e.bot);
    case field::declined: return value::of(declined_);
  }
  return {};
}

} // namespace pulse::rules
