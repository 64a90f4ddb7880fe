// SPDX-License-Identifier: Apache-2.0
// What a system call returns inside the kernel when a signal interrupted it; never seen by a
// program. The numbers are Linux's own (include/linux/errno.h).
#pragma once

#include <array>
#include <cstdint>

#include "core/result.h"
#include "sched/wait.h"

namespace runhl::kernel {

inline constexpr int kRestartSys = 512;        // again if the handler has SA_RESTART, else EINTR
inline constexpr int kRestartNoIntr = 513;     // always again
inline constexpr int kRestartNoHandler = 514;  // EINTR with a handler, again without
inline constexpr int kRestartBlock = 516;      // the same, but as the task's RestartBlock says

/// How a call goes on that cannot simply be made again, since its timeout is relative.
struct RestartBlock {
  using Again = Result<std::uint64_t> (*)(const RestartBlock& block);
  Again again = nullptr;
  Nanoseconds deadline = kNoDeadline;
  std::array<std::uint64_t, 4> words{};
};

}  // namespace runhl::kernel
