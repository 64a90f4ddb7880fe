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

/// The strict one, installed by the launch stub out of the window. Without FSGSBASE the kernel has
/// to set its segment bases by call. The lower action of the two filters wins.
std::span<const sock_filter> strict_filter(bool fsgsbase);

}  // namespace runhl::vmm::cell
