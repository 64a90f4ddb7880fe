// SPDX-License-Identifier: Apache-2.0
// Times as programs give them, and as the kernel's deadlines.
#pragma once

#include <linux/time_types.h>

#include "core/result.h"
#include "core/user_memory.h"
#include "sched/wait.h"

namespace runhl::kernel {

/// EINVAL: negative, or nanoseconds out of range. What lies beyond the clocks' range is cut to it.
Result<Nanoseconds> valid_time(const __kernel_timespec& time);
Result<Nanoseconds> read_user_time(UserAddress address);

Nanoseconds deadline_after(Nanoseconds length);
/// For a time on one of the host's clocks. (A wall clock that is set meanwhile is not followed.)
Nanoseconds deadline_at(int clock, Nanoseconds time);

}  // namespace runhl::kernel
