// A tenant's mapping: a versioned document of rules that bring other names and types into PulseEcom's own. Checked as
// a whole (every problem at once), compiled once, then applied to each event as the first of the enrichers.
//
//   {"rules":[{"op":"rename","from":"/properties/orderId","to":"/properties/order_id"},
//             {"op":"cast","path":"/properties/price","type":"number"},
//             {"op":"default","path":"/properties/currency","value":"EUR"},
//             {"op":"drop","path":"/properties/debug"},
//             {"op":"set","to":"/store","value":"web"},
//             {"op":"set","to":"/campaign","from":"/properties/utm","event":"Order Completed"}]}
//
// A path is a JSON pointer (RFC 6901) into /properties or /context, or one of the standard fields: /name, /customer,
// /anonymous_id, /order_id, /amount, /currency, /email, /ip, /user_agent, /store, /campaign, /country, /region, /city,
// /device, /browser, /os, /referrer. Rules run in order; `event` limits a rule to events that came under that name.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "models/event/event.hpp"

namespace pulse {

inline constexpr std::size_t mapping_rules_max = 200;
inline constexpr std::size_t mapping_bytes_max = 256 * 1024;

/// Every problem of a mapping document, with a JSON pointer to its place; none: it can be published.
std::vector<note> check_mapping(std::string_view document);

class compiled_mapping {
public:
  /// Error: `invalid` with the first problem of check_mapping.
  static result<std::shared_ptr<const compiled_mapping>> compile(std::string_view document);

  /// SHA-256 in hexadecimal of the canonical bytes: the same rules have the same id however they are written.
  const std::string& id() const {
    return id_;
  }

  /// Keys sorted, no blanks; what is stored.
  const std::string& canonical() const {
    return canonical_;
  }

  std::size_t size() const;

  /// Changes the event by the rules, reads anew what depends on properties and context (order, lines, amount, e-mail,
  /// addresses), and notes where fields came from (`mapping:3` is the fourth rule). A rule that can't be carried out
  /// leaves a note and the event as it was.
  void apply(event& e, currency fallback) const;

  struct rule;

private:
  compiled_mapping() = default;

  std::shared_ptr<const std::vector<rule>> rules_;
  std::string id_;
  std::string canonical_;
};

} // namespace pulse
