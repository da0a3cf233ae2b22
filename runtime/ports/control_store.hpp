// Port: settings, versions, and work that is due, as the actors see them. All calls block: they belong to the
// store_worker actors, one object each. Adapter: postgres/control_store.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/ids.hpp"
#include "base/time.hpp"
#include "models/fraud/challenge.hpp"
#include "models/slot/control.hpp"
#include "ports/training_store.hpp"

namespace pulse {

struct tenant_settings {
  tenant_id tenant;
  std::string name;
  slot_id slot;
  std::int64_t rate = 0;
  std::int64_t burst = 0;
  std::string currency;
  std::string timezone;
  bool deleted = false;
};

struct due_work {
  tenant_id tenant;
  /// `alert`: alerting has something to look at; `control`: a control record is not known to be in the log;
  /// `train`: the tenant's models are to be fitted; `fraud`, `drift`: see training_kind; `series`: its metric series
  /// are to be judged; `forget`: the tenant was deleted, and its slot is to know.
  std::string kind;
};

class control_store {
public:
  virtual ~control_store() = default;

  /// `not_found` for a tenant that does not exist.
  virtual result<tenant_settings> settings(tenant_id tenant) = 0;

  /// Up to `max` tenants' work of these slots whose time has come; stays due until its actor moves or deletes it.
  virtual result<std::vector<due_work>> due(const std::vector<slot_id>& slots, std::int64_t max) = 0;

  /// Stores an immutable version and the control record that will put it in force, both or neither. The same bytes
  /// again are the same version and a new control record.
  virtual result<slot::control> publish(tenant_id tenant, const std::string& kind, const std::string& hash,
                                        const std::string& bytes, const std::string& card_json,
                                        const std::string& actor) = 0;

  /// Stores a version that is not put in force: a draft.
  virtual result<void> keep(tenant_id tenant, const std::string& kind, const std::string& hash,
                            const std::string& bytes, const std::string& card_json, const std::string& actor) = 0;

  /// Sets one member of a version's card.
  virtual result<void> note_on_card(tenant_id tenant, const std::string& kind, const std::string& hash,
                                    const std::string& name, const std::string& json) = 0;

  /// Control records that have not taken effect yet; they are sent again, which does no harm.
  virtual result<std::vector<slot::control>> pending_controls(tenant_id tenant) = 0;

  /// Training is due again in so many seconds: the claim of one that begins, and the time of the next.
  virtual result<void> schedule_training(tenant_id tenant, training_kind kind, std::int64_t in_seconds) = 0;

  /// Nothing to train until something new comes.
  virtual result<void> end_training(tenant_id tenant, training_kind kind) = 0;

  /// The first `columns` features of the tenant's latest `rows_max` counted events; missing where an event was scored
  /// with less.
  virtual result<feature_history> history(tenant_id tenant, std::size_t columns, std::int64_t rows_max) = 0;

  /// The latest `rows_max` counted events whose label is final: those older than the delay, of event names that have
  /// labels at all. What nobody labelled is taken as legitimate.
  virtual result<fraud::labelled_history> labelled(tenant_id tenant, std::size_t columns, std::int64_t rows_max,
                                                   std::int64_t delay_ms) = 0;

  /// Newest first.
  virtual result<std::vector<listed_model>> versions(tenant_id tenant, const std::string& kind) = 0;

  /// The bytes of a version. `not_found`.
  virtual result<std::string> version_bytes(tenant_id tenant, const std::string& kind, const std::string& hash) = 0;

  /// The tenant's slot knows that it was deleted.
  virtual result<void> forgotten(tenant_id tenant) = 0;

  /// When the tenant's work of a kind is due again; nothing pending: the row goes.
  virtual result<void> reschedule_controls(tenant_id tenant) = 0;
};

} // namespace pulse
