#include "models/event/payment_fields.hpp"

#include <algorithm>

#include "models/event/names.hpp"
#include "models/event/standard_fields.hpp"

namespace pulse {

namespace {

/// Without case, blanks and punctuation, so that the same house is one.
std::string squeezed(std::string_view text) {
  auto out = lowered(text);
  std::erase_if(out, [](char c) { return c == ' ' || c == '.' || c == ',' || c == '-' || c == '\t'; });
  return out;
}

std::string address_text(const json_index& index, const json_node* address) {
  if (address == nullptr)
    return {};
  const auto street = first_text(index, address, {"address1", "street", "line1", "address"});
  const auto code = first_text(index, address, {"zip", "postal_code", "postalCode", "post_code", "postcode"});
  if (street.empty() || code.empty())
    return {};
  const auto country = first_text(index, address, {"country_code", "countryCode", "country"});
  return squeezed(street) + "|" + squeezed(code) + "|" + squeezed(country);
}

std::string card_text(const json_index& index, const json_node* properties) {
  auto card = first_text(index, properties, {"card_fingerprint", "cardFingerprint", "card_id", "card"});
  for (auto key : {"payment_method", "paymentMethod", "payment", "card"})
    if (card.empty())
      card = first_text(index, first_object(index, properties, {key}),
                        {"card_fingerprint", "fingerprint", "card_id", "id"});
  return card;
}

bool is_declined(const json_index& index, const json_node* properties, std::string_view event_name) {
  if (std::find(payment_failed_names.begin(), payment_failed_names.end(), event_name) != payment_failed_names.end())
    return true;
  auto status = lowered(first_text(index, properties, {"payment_status", "paymentStatus", "status"}));
  if (status.empty())
    status = lowered(first_text(index, first_object(index, properties, {"payment"}), {"status"}));
  return status == "declined" || status == "failed" || status == "refused" || status == "rejected";
}

} // namespace

std::string lowered(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return out;
}

std::string domain_of(std::string_view email) {
  const auto at = email.rfind('@');
  return at == std::string_view::npos ? std::string{} : lowered(email.substr(at + 1));
}

std::string first_text(const json_index& index, const json_node* parent, std::initializer_list<std::string_view> keys) {
  for (auto key : keys)
    if (const auto text = read_id(index.find(parent, key)); !text.empty())
      return std::string(text);
  return {};
}

const json_node* first_object(const json_index& index, const json_node* parent,
                              std::initializer_list<std::string_view> keys) {
  for (auto key : keys)
    if (const auto* node = index.find(parent, key); node != nullptr && node->kind == json_kind::object)
      return node;
  return nullptr;
}

payment read_payment(const json_index& index, const json_node* properties, const json_index& context,
                     std::string_view event_name) {
  payment out;
  out.card = card_text(index, properties);
  out.device = first_text(context, context.at({"device"}), {"id"});
  if (out.device.empty())
    out.device = first_text(index, properties, {"device_id", "deviceId", "device_fingerprint"});
  out.address =
      address_text(index, first_object(index, properties, {"shipping_address", "shippingAddress", "shipping"}));
  if (out.address.empty())
    out.address =
        address_text(index, first_object(index, properties, {"billing_address", "billingAddress", "billing"}));
  out.coupon = first_text(index, properties, {"coupon", "coupon_code", "couponCode"});
  out.declined = is_declined(index, properties, event_name);
  return out;
}

} // namespace pulse
