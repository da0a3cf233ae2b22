// What tells payments apart, read out of a client's properties and context: card, device, postal address, coupon,
// whether it was declined. The same reading for features and for rules.
#pragma once

#include <string>
#include <string_view>

#include "models/event/event.hpp"
#include "models/event/json_index.hpp"

namespace pulse {

/// `properties`: a node of `index`, or null. `context` is a document of its own.
payment read_payment(const json_index& index, const json_node* properties, const json_index& context,
                     std::string_view event_name);

/// The text under the first of the keys that has one; ids may be numbers.
std::string first_text(const json_index& index, const json_node* parent, std::initializer_list<std::string_view> keys);

/// The object under the first of the keys that has one; null for none.
const json_node* first_object(const json_index& index, const json_node* parent,
                              std::initializer_list<std::string_view> keys);

/// ASCII letters in lower case.
std::string lowered(std::string_view text);

/// In lower case; empty for what is no address.
std::string domain_of(std::string_view email);

} // namespace pulse
