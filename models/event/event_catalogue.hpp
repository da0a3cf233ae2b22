// The 28 events of Segment's e-commerce specification, version 2, and the properties that make each one useful.
// A missing one is a warning, never a refusal; names that are not here are fine.
// Source: https://segment.com/docs/connections/spec/ecommerce/v2/
#pragma once

#include <span>
#include <string_view>

namespace pulse {

struct catalogue_entry {
  std::string_view name;
  std::span<const std::string_view> required;
  /// Carries an amount (`revenue`, else `total`, else `value`), which needs a currency.
  bool has_amount = false;
  /// Describes one product by its own properties, without a list.
  bool one_product = false;
};

/// Null for a name that is not in the catalogue. Names are compared as they are written.
const catalogue_entry* find_catalogue_entry(std::string_view name);

std::span<const catalogue_entry> event_catalogue();

} // namespace pulse
