// SPDX-License-Identifier: Apache-2.0
// The two syscall filters of a cell. They are the boundary to the host: filter.cc says for each
// rule who needs it.
#pragma once

#include <linux/filter.h>

#include <span>

namespace runhl::vmm::cell {

/// The first one: turns the reserved call into a notification, allows everything else. Installed
/// by the launcher, because it hands out the listener.
std::span<const sock_filter> notify_filter();

struct StrictRules {
  bool fsgsbase = true;  ///< without it the kernel has to set its segment bases by call
  bool listener = true;  ///< without one there is no reserved call
};
/// The strict one, installed by the launch stub out of the window. The lower action of the two
/// filters wins. Without a listener it is the only one, and none of its answers notifies anybody.
std::span<const sock_filter> strict_filter(const StrictRules& rules);

}  // namespace runhl::vmm::cell
