// The two children's work as plain classes: a part of a batch in, the same part enriched, then scored. Each holds the
// state of one tenant, and nothing but the records (and the versions they name) changes it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "models/slot/control.hpp"
#include "models/slot/types.hpp"

namespace pulse::slot {

/// A part between its two children.
struct enriched_part {
  std::uint64_t request = 0;
  tenant_id tenant;
  bool replay = false;
  bool take_images = false;
  std::vector<processed> items;
  std::vector<artifact> artifacts;
  /// After the part's last item.
  in_force settings;
};

/// What a tenant's children start from.
struct stage_start {
  tenant_id tenant;
  in_force settings;
  std::vector<chunk_image> images;
  /// The versions that `settings` names.
  std::vector<artifact> artifacts;
};

/// Data that all tenants share: countries, geo, the pooled model. Immutable.
struct shared_data;

class enrichment_stage {
public:
  enrichment_stage(const stage_start& start, std::shared_ptr<const shared_data> shared);
  ~enrichment_stage();
  enrichment_stage(enrichment_stage&&) noexcept;

  /// May throw what a library throws on a record it cannot digest; the stage is not used after that.
  enriched_part work(part p);

private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

class scoring_stage {
public:
  scoring_stage(const stage_start& start, std::shared_ptr<const shared_data> shared);
  ~scoring_stage();
  scoring_stage(scoring_stage&&) noexcept;

  part_result work(enriched_part p);

private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

} // namespace pulse::slot
