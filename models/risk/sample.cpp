#include "models/risk/sample.hpp"

#include <algorithm>
#include <cstdlib>
#include <fmt/format.h>

#include "models/csv/table.hpp"

namespace pulse::scoring {

namespace {

constexpr std::size_t columns_min = 7;

error bad(std::size_t line, std::string_view what) {
  return {ec::malformed, fmt::format("line {}: {}", line, what), ""};
}

/// Adds a line to its invoice's event; the first line makes it.
result<void> add_line(std::vector<event>& out, const std::vector<std::string>& f, std::size_t line) {
  const auto at = parse_time(f[3]);
  const auto price = parse_decimal(f[4]);
  const auto quantity = parse_decimal(f[2]);
  if (!at || !price || !quantity)
    return bad(line, "time, price or quantity cannot be read");
  if (out.empty() || out.back().order_id != f[0]) {
    event e;
    e.tenant = tenant_id{1};
    e.type = "track";
    e.name = f[0].starts_with("C") ? "Order Refunded" : "Order Completed";
    e.order_id = e.message_id = f[0];
    e.customer = f[5].empty() ? "guest" : f[5];
    e.country = f[6];
    e.occurred_at = e.received_at = *at;
    e.timed = true;
    e.amount = money{0, *parse_currency("GBP")};
    out.push_back(std::move(e));
  }
  auto& e = out.back();
  const auto total = line_total(*price, *quantity, e.amount->unit);
  if (!total)
    return bad(line, "price times quantity is out of range");
  e.amount->minor += total->minor;
  e.products.push_back({f[1], f.size() > columns_min ? f[7] : "", "", *price, *quantity});
  return {};
}

} // namespace

result<std::vector<event>> read_order_lines(std::string_view csv_text) {
  std::vector<event> out;
  csv::record_reader reader(csv_text);
  std::vector<std::string> fields;
  for (bool header = true;; header = false) {
    auto more = reader.next(fields);
    if (!more)
      return more.err();
    if (!*more)
      break;
    if (fields.size() < columns_min)
      return bad(reader.line(), "an order line has seven fields");
    if (header)
      continue;
    if (auto ok = add_line(out, fields, reader.line()); !ok)
      return ok.err();
  }
  std::erase_if(out, [](event& e) {
    if (e.name == "Order Refunded")
      e.amount->minor = std::abs(e.amount->minor);
    return e.amount->minor <= 0;
  });
  return out;
}

} // namespace pulse::scoring
