#include "models/event/event_catalogue.hpp"

#include <algorithm>
#include <array>

namespace pulse {

namespace {

constexpr std::string_view query[] = {"query"};
constexpr std::string_view products[] = {"products"};
constexpr std::string_view promotion[] = {"promotion_id"};
constexpr std::string_view product[] = {"product_id"};
constexpr std::string_view order[] = {"order_id", "products"};
constexpr std::string_view order_alone[] = {"order_id"};
constexpr std::string_view step[] = {"checkout_id", "step"};
constexpr std::string_view coupon[] = {"coupon_id"};
constexpr std::string_view review[] = {"product_id", "rating"};

/// Sorted by name.
constexpr std::array<catalogue_entry, 28> entries{{
    {"Cart Shared", products},
    {"Cart Viewed", products},
    {"Checkout Started", order, true},
    {"Checkout Step Completed", step},
    {"Checkout Step Viewed", step},
    {"Coupon Applied", coupon},
    {"Coupon Denied", coupon},
    {"Coupon Entered", coupon},
    {"Coupon Removed", coupon},
    {"Order Cancelled", order, true},
    {"Order Completed", order, true},
    {"Order Refunded", order_alone, true},
    {"Order Updated", order, true},
    {"Payment Info Entered", order_alone},
    {"Product Added", product, false, true},
    {"Product Added to Wishlist", product, false, true},
    {"Product Clicked", product, false, true},
    {"Product List Filtered", products},
    {"Product List Viewed", products},
    {"Product Removed", product, false, true},
    {"Product Removed from Wishlist", product, false, true},
    {"Product Reviewed", review, false, true},
    {"Product Shared", product, false, true},
    {"Product Viewed", product, false, true},
    {"Products Searched", query},
    {"Promotion Clicked", promotion},
    {"Promotion Viewed", promotion},
    {"Wishlist Product Added to Cart", product, false, true},
}};

static_assert(std::is_sorted(entries.begin(), entries.end(),
                             [](const auto& a, const auto& b) { return a.name < b.name; }));

} // namespace

const catalogue_entry* find_catalogue_entry(std::string_view name) {
  const auto at =
      std::lower_bound(entries.begin(), entries.end(), name, [](const auto& e, auto n) { return e.name < n; });
  return at != entries.end() && at->name == name ? &*at : nullptr;
}

std::span<const catalogue_entry> event_catalogue() {
  return entries;
}

} // namespace pulse
