#include "models/rules/subject.hpp"

#include <algorithm>

#include "base/encoding.hpp"
#include "models/event/payment_fields.hpp"

namespace pulse::rules {

namespace {

value text_or_unknown(std::string_view text) {
  return text.empty() ? value{} : value::of(text);
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
  read_countries(data);
  read_entities();
  if (data.geo != nullptr && !e.ip.empty())
    ip_country_ = data.geo->find(e.ip);
  if (e.amount)
    currency_ = e.amount->unit.str();
}

std::string subject::country_of(const json_node* address, const enrichment_data& data) const {
  const auto given = first_text(properties_, address, {"country_code", "countryCode", "country"});
  const auto code = data.countries == nullptr ? std::string_view{} : data.countries->find(given);
  return code.empty() ? given : std::string(code);
}

void subject::read_countries(const enrichment_data& data) {
  const auto* all = properties_.root();
  shipping_country_ =
      country_of(first_object(properties_, all, {"shipping_address", "shippingAddress", "shipping"}), data);
  billing_country_ = country_of(first_object(properties_, all, {"billing_address", "billingAddress", "billing"}), data);
}

void subject::read_entities() {
  auto p = read_payment(properties_, properties_.root(), context_, event_.name);
  coupon_ = std::move(p.coupon);
  declined_ = p.declined;
  const auto set = [this](entity e, std::string text) {
    entities_[static_cast<std::size_t>(e)] = std::move(text);
  };
  set(entity::customer, event_.customer.empty() ? event_.anonymous_id : event_.customer);
  set(entity::card, std::move(p.card));
  set(entity::device, std::move(p.device));
  set(entity::address, std::move(p.address));
  set(entity::ip, event_.ip);
  set(entity::email, lowered(event_.email));
  set(entity::email_domain, domain_of(event_.email));
  for (std::size_t i = 0; i < entity_count; ++i)
    if (!entities_[i].empty())
      keys_[i] = hash_parts({to_string(static_cast<entity>(i)), entities_[i]});
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
