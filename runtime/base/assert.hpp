// An assertion that stays on in every build: a broken invariant ends the program instead of the data.
#pragma once

namespace pulse {

[[noreturn]] void assert_failed(const char* condition, const char* why, const char* file, int line);

} // namespace pulse

#define PULSE_ASSERT(condition, why)                                                                                   \
  do {                                                                                                                 \
    if (!(condition)) [[unlikely]]                                                                                     \
      ::pulse::assert_failed(#condition, why, __FILE__, __LINE__);                                                     \
  } while (false)
