#include "base/background.hpp"

#include <sys/resource.h>
#include <unistd.h>

namespace pulse {

void give_way() {
  // On Linux a thread's own; raising it needs no right, so it cannot fail.
  ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), 10);
}

} // namespace pulse
