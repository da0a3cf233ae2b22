#include "node/shared_files.hpp"

#include <fmt/format.h>

#include "base/embedded.hpp"
#include "models/risk/pooled.hpp"
#include "models/risk/sample.hpp"
#include "node/files.hpp"
#include "telemetry/log.hpp"

namespace pulse {

namespace {

constexpr auto component = "node";

/// The pooled model: fitted with a fixed seed on the sample that the program carries.
result<std::shared_ptr<const detection::model>> fit_stand_in() {
  for (const auto& file : embedded_node()) {
    if (file.name != "demo_order_lines.csv")
      continue;
    auto events = scoring::read_order_lines(file.content);
    if (!events)
      return events.err();
    auto model = scoring::fit_pooled(*events, {.random_state = 1});
    if (!model)
      return model.err();
    return std::make_shared<const detection::model>(std::move(*model));
  }
  return error{ec::internal, "the program carries no sample for the pooled model", ""};
}

} // namespace

result<std::shared_ptr<const slot::shared_data>> read_shared_data(const settings& s) {
  enrichment_data data;
  const auto iso_path = s.iso_codes_dir + "/iso_3166-1.json";
  if (const auto text = read_file(iso_path)) {
    auto table = country_table::load(*text);
    if (!table)
      return error{ec::corrupt, fmt::format("{}: {}", iso_path, table.err().detail), ""};
    data.countries = std::make_shared<const country_table>(std::move(*table));
  } else {
    log::warning("countries_missing", component, iso_path + " is not there: countries stay as they are given");
  }
  const auto v4 = s.geo_dir.empty() ? std::nullopt : read_file(s.geo_dir + "/geoip");
  const auto v6 = s.geo_dir.empty() ? std::nullopt : read_file(s.geo_dir + "/geoip6");
  if (v4 && v6) {
    auto table = geo_table::load(*v4, *v6);
    if (!table)
      return error{ec::corrupt, fmt::format("{}: {}", s.geo_dir, table.err().detail), ""};
    data.geo = std::make_shared<const geo_table>(std::move(*table));
  } else {
    log::warning("geo_missing", component, "geo_dir has no geoip and geoip6: no country is found by address");
  }
  auto pooled = fit_stand_in();
  if (!pooled)
    return pooled.err();
  return std::make_shared<const slot::shared_data>(std::move(data), *pooled);
}

} // namespace pulse
