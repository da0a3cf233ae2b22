// The rules of one tenant at work: beside the scorer (models/risk), owned by the same child of the slot. No I/O, no
// clock; its state (the windows) is a fold over the log.
#pragma once

#include <memory>
#include <vector>

#include "models/rules/decision.hpp"
#include "models/rules/lists.hpp"
#include "models/rules/window_store.hpp"

namespace pulse::rules {

class engine {
public:
  explicit engine(enrichment_data data, window_limits limits = {});

  /// Null: no rules. At the record that puts it in force, or after loading.
  void set_rules(std::shared_ptr<const rule_set> rules);
  void set_lists(std::shared_ptr<const compiled_lists> lists);

  const rule_set* rules() const {
    return rules_.get();
  }

  const list_source* lists() const {
    return lists_.get();
  }

  /// Decides on the event, whose risk is the model's, and moves the state unless it is a test or a duplicate. Nothing
  /// and no change without rules.
  std::optional<decision> apply(event& e, const features::row& row, const scoring::risk_policy& policy, log_offset at);

  /// Moves the state as apply does.
  void replay(const event& e, log_offset at);

  /// Decides as apply would now; moves nothing.
  std::optional<decision> preview(const event& e, const features::row& row, const scoring::risk_policy& policy) const;

  result<void> load(const window_image& image);

  /// Events up to here are in the loaded state, images of other chunks included; they are not folded again.
  void set_folded_to(log_offset at) {
    folded_to_ = std::max(folded_to_, at);
  }

  std::vector<window_image> take_dirty_images(log_offset as_of) {
    return windows_.take_dirty_images(as_of);
  }

  std::size_t windows_kept() const {
    return windows_.size();
  }

private:
  decision decide_on(const subject& s, const event& e, const features::row& row,
                     const scoring::risk_policy& policy) const;
  void fold(const subject& s, log_offset at);

  enrichment_data data_;
  std::shared_ptr<const rule_set> rules_;
  std::shared_ptr<const compiled_lists> lists_;
  window_store windows_;
  log_offset folded_to_{-1};
};

} // namespace pulse::rules
