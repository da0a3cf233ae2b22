// What decided a stored event (models, rules, lists), and whether it decides the same again.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "models/risk/assess.hpp"
#include "models/rules/lists.hpp"
#include "models/rules/rule_set.hpp"
#include "ports/query_store.hpp"

namespace pulse::http {

/// The versions that the event's risk names, as far as they are the tenant's own.
struct deciders {
  /// An empty set where no rules decided; null when they cannot be read.
  std::shared_ptr<const rules::rule_set> rules;
  std::shared_ptr<const rules::compiled_lists> lists;
  std::optional<scoring::placed_model> model;
  std::optional<scoring::placed_judge> judge;
  /// Some rules decided.
  bool by_rules = false;
  /// What the risk names and is not there to be read, for a person; empty: nothing.
  std::string missing;
};

deciders deciders_of(query_store& store, tenant_id tenant, const event& e);

/// What the models alone say of the row; without the parts of models in shadow.
risk models_say(const deciders& d, const features::row& row);

/// Why the stored risk does not come out again, to the last bit and word, from the stored features, model, rules and
/// lists; empty: it does. What models in shadow said is not tried.
std::string recompute_fault(const deciders& d, const event& e, const features::row& row);

} // namespace pulse::http
