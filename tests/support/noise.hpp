// Chance for made-up series.
#pragma once

#include "models/detection/random.hpp"

namespace pulse::test {

/// Mean 0, deviation 1, near normal: twelve uniform draws less 6, the same on every platform.
inline double noise(detection::random_stream& random) {
  double out = -6;
  for (int k = 0; k < 12; ++k)
    out += random.uniform();
  return out;
}

} // namespace pulse::test
