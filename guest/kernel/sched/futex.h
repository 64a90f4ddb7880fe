// SPDX-License-Identifier: Apache-2.0
// Futexes: tasks waiting on a word of their own memory.
#pragma once

#include <cstdint>

#include "core/result.h"
#include "core/user_memory.h"
#include "sched/wait.h"

namespace runhl::kernel {

struct FutexWait {
  UserAddress word = 0;
  std::uint32_t expected = 0;
  std::uint32_t bits = ~0U;
  Nanoseconds deadline = kNoDeadline;
};

/// EAGAIN: the word is not `expected`. ETIMEDOUT, EINTR, EFAULT.
Result<void> futex_wait(const FutexWait& request);
/// Wakes at most `count` waiters that have one of `bits`; answers how many.
std::uint32_t futex_wake(UserAddress word, std::uint32_t count, std::uint32_t bits);

Result<void> futex_init();  // at boot; ENOMEM

}  // namespace runhl::kernel
