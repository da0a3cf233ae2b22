// What may travel in CAF's messages, made known to CAF.
#pragma once

#include "actors/cluster_interfaces.hpp"

namespace pulse {

/// Before the first actor system of the process; any later call does nothing. Any thread.
inline void register_message_types() {
  static const bool once = [] {
    caf::core::init_global_meta_objects();
    caf::init_global_meta_objects<caf::id_block::pulse>();
    caf::init_global_meta_objects<caf::id_block::pulse_handles>();
    caf::init_global_meta_objects<caf::id_block::pulse_cluster>();
    caf::init_global_meta_objects<caf::id_block::pulse_lend>();
    caf::init_global_meta_objects<caf::id_block::pulse_hosting>();
    return true;
  }();
  (void)once;
}

} // namespace pulse
