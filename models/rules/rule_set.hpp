// A tenant's rules: a versioned document, checked as a whole (every problem at once), compiled once.
//
//   {"rules":[{"name":"card_testing","when":"amount > 500 and velocity(card, 30d, declined) > 1","points":40,
//              "outcome":"review","state":"live","description":"…",
//              "snoozes":[{"entity":"customer","value":"ada","until":"2027-01-01T00:00:00Z"}]}],
//    "thresholds":{"review":75,"decline":95}}
//
// - name: letters, digits, `_`, `-`, once in the document; when: the condition (parser.hpp has the grammar).
// - points: -100 to 100 in eighths, 0 when absent; outcome: approve, review or decline, none when absent.
// - state: `draft` (compiled, never run), `shadow` (run and recorded, changes nothing), `live` (the default).
// - snoozes: until then (time of receipt) the rule is recorded for this entity, and changes nothing.
// - thresholds: scores from which on an event is reviewed or declined; the tenant's usual ones when absent.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "models/rules/parser.hpp"

namespace pulse::rules {

inline constexpr std::size_t rules_max = 200;
inline constexpr std::size_t rules_bytes_max = 256 * 1024;
inline constexpr std::size_t snoozes_max = 100;

enum class rule_state : std::uint8_t { draft, shadow, live };
/// In order of severity.
enum class verdict : std::uint8_t { approve, review, decline };

std::string_view to_string(rule_state s);
std::string_view to_string(verdict v);

struct snooze {
  rules::entity entity = entity::customer;
  std::string value;
  time_ms until;
};

struct rule {
  std::string name;
  std::string when;
  /// Empty in a rule that has an error: it never hits, and the others run.
  rules::program program;
  double points = 0;
  std::optional<verdict> outcome;
  rule_state state = rule_state::live;
  std::vector<snooze> snoozes;
  /// Why it cannot run; empty when it can.
  std::string broken;
};

struct thresholds {
  std::optional<double> review;
  std::optional<double> decline;
};

/// Every problem of a document of rules, with pointer, line and column; none: it can be published.
std::vector<problem> check_rules(std::string_view document);

class rule_set {
public:
  /// Error: `invalid` with the first problem of check_rules.
  static result<std::shared_ptr<const rule_set>> compile(std::string_view document);

  /// For a document that was stored: a rule that does not compile any more is set aside with its reason, and the others
  /// run. Error: only when the document as a whole cannot be read.
  static result<std::shared_ptr<const rule_set>> load(std::string_view document);

  /// SHA-256 in hexadecimal of the canonical bytes.
  const std::string& id() const {
    return id_;
  }
  const std::string& canonical() const {
    return canonical_;
  }
  const std::vector<rule>& rules() const {
    return rules_;
  }

  /// What live and shadow rules ask for; programs name inputs by their place here.
  const std::vector<input>& inputs() const {
    return inputs_.all;
  }
  const rules::thresholds& thresholds() const {
    return thresholds_;
  }

private:
  rule_set() = default;

  friend std::vector<problem> check_rules(std::string_view document);
  static std::shared_ptr<rule_set> read(std::string_view document, std::vector<problem>& problems);

  std::vector<rule> rules_;
  input_table inputs_;
  rules::thresholds thresholds_;
  std::string id_;
  std::string canonical_;
};

} // namespace pulse::rules
