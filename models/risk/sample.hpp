// Reads order lines (invoice,stock_code,quantity,invoice_time,unit_price,customer_id,country[,description]) into one
// event per invoice: the sample that the pooled model is fitted on, and that the demo plays.
#pragma once

#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "models/event/event.hpp"

namespace pulse::scoring {

/// In order of time. An invoice that begins with `C` is an Order Refunded of its lines' absolute total; one whose
/// total is not positive is left out. Amounts in GBP, lines rounded half-up each. Errors: `malformed` with the line.
result<std::vector<event>> read_order_lines(std::string_view csv_text);

} // namespace pulse::scoring
