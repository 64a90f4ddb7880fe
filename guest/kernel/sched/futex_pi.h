// SPDX-License-Identifier: Apache-2.0
// Futexes with an owner (futex(2), "Priority-inheritance futexes"). The word holds the owner's tid,
// FUTEX_WAITERS while somebody waits in the kernel, FUTEX_OWNER_DIED. Ownership is handed over in
// order of arrival: all programs have one priority here, so there is none to inherit.
//
//   word  0 ──lock (user)──► tid ──waiter──► tid|WAITERS ──unlock──► next tid|WAITERS ──► … ──► 0
#pragma once

#include <cstdint>

#include "core/result.h"
#include "sched/futex.h"

namespace runhl::kernel {

struct Task;

enum class FutexLockMode : std::uint8_t { Wait, Try };

/// EAGAIN: Try, and it is taken. EDEADLK: by the caller. ESRCH: by nobody there is. ETIMEDOUT,
/// EINTR.
Result<void> futex_lock_pi(FutexWord word, Nanoseconds deadline, FutexLockMode mode);
/// EPERM: not the caller's.
Result<void> futex_unlock_pi(FutexWord word);

/// Waits on a plain word to be moved to `target` by futex_requeue_pi; returns as its owner.
struct FutexWaitRequeuePi {
  FutexWait wait;
  FutexWord target;
};
Result<void> futex_wait_requeue_pi(const FutexWaitRequeuePi& request, Nanoseconds deadline);
Result<std::uint32_t> futex_requeue_pi(const FutexRequeue& request);

/// A task's end: what it owned goes to the first waiter, marked FUTEX_OWNER_DIED.
void futex_release_owned(Task& task);

}  // namespace runhl::kernel
