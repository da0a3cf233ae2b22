// Names of events that more than one part of the product looks for.
#pragma once

#include <array>
#include <string_view>

namespace pulse {

/// A payment that did not go through, as shops call it.
inline constexpr std::array<std::string_view, 7> payment_failed_names{
    "Payment Failed",       "Payment Declined", "Checkout Failed", "Transaction Failed",
    "Transaction Declined", "Order Declined",   "Card Declined"};

} // namespace pulse
