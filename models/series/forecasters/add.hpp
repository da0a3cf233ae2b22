// How each kind of forecaster is added; the register in forecasters.cpp lists them.
#pragma once

#include "models/series/forecaster.hpp"

namespace pulse::series {

void add_level(forecasters& to, std::int64_t step_ms);
void add_season(forecasters& to, std::int64_t step_ms);
void add_trend(forecasters& to, std::int64_t step_ms);

} // namespace pulse::series
