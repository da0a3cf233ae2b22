#include "base/assert.hpp"

#include <cstdio>
#include <cstdlib>

namespace pulse {

void assert_failed(const char* condition, const char* why, const char* file, int line) {
  std::fprintf(stderr, "assertion failed: %s (%s) at %s:%d\n", why, condition, file, line);
  std::abort();
}

} // namespace pulse
