// The register of views (see view.hpp): one line each.
#include "models/series/view.hpp"

#include <algorithm>
#include <array>

#include "models/series/views/make.hpp"

namespace pulse::series {

namespace {

constexpr std::array register_of_views{
    view_entry{"shape6", "the last 6 points look like nothing before", true, make_shape<6>},
    view_entry{"shape12", "the last 12 points look like nothing before", true, make_shape<12>},
    view_entry{"shape24", "the last 24 points look like nothing before", true, make_shape<24>},
    view_entry{"shape36", "the last 36 points look like nothing before", true, make_shape<36>},
    view_entry{"shape48", "the last 48 points look like nothing before", true, make_shape<48>},
    view_entry{"residual", "far from what this time of day or week expects", true, make_residual},
    view_entry{"shift", "the level has moved", true, make_shift},
    view_entry{"spread", "the values scatter more or less than usual", true, make_spread},
    view_entry{"drift", "the last 24 points lie on one side of what is expected", true, make_drift},
    view_entry{"poly", "off the line through the last points", true, make_poly},
    view_entry{"range", "far outside the values seen so far", true, make_range},
    view_entry{"mad", "far from the median of this hour of the week, in median deviations", false, make_mad},
    view_entry{"z", "far from the mean of the last days, in standard deviations", false, make_z},
    view_entry{"iqr", "outside the quartiles of the last days", false, make_iqr},
    view_entry{"count", "a count too unlikely for this hour of the week", false, make_count},
    view_entry{"forest", "a rare combination of value, residual and change", false, make_forest},
};

} // namespace

std::span<const view_entry> views() {
  return register_of_views;
}

const view_entry* find_view(std::string_view name) {
  const auto all = views();
  const auto at = std::find_if(all.begin(), all.end(), [&](const view_entry& v) { return v.name == name; });
  return at == all.end() ? nullptr : &*at;
}

} // namespace pulse::series
