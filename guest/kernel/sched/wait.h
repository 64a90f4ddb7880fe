// SPDX-License-Identifier: Apache-2.0
// The one sleep primitive. It drops the big lock, refuses (panic) while a spinlock is held, hands
// the vCPU on, and takes the big lock again. Everything that waits is built on it.
//
//   TRY(wait(pipe.readers, [&] { return !pipe.empty(); }, kNoDeadline, Interruptible::Yes));
//   wake_all(pipe.readers);
//
// Wake-ups may be spurious: the condition is tested again each time.
#pragma once

#include <cstdint>

#include "core/result.h"
#include "sched/locks.h"

namespace runhl::kernel {

struct Task;

/// CLOCK_MONOTONIC nanoseconds.
using Nanoseconds = std::int64_t;
inline constexpr Nanoseconds kNoDeadline = -1;
Nanoseconds monotonic_now();

enum class Interruptible : std::uint8_t {
  No,
  Yes,       // by any signal that would be acted on
  Killable,  // by one that ends the process
};

struct Waiter {  // on the sleeping task's stack
  Task* task = nullptr;
  Waiter* next = nullptr;
  Waiter* previous = nullptr;
};

class WaitQueue {
 public:
  constexpr WaitQueue() : lock(LockRank::WaitQueue) {}
  WaitQueue(const WaitQueue&) = delete;
  WaitQueue& operator=(const WaitQueue&) = delete;
  ~WaitQueue() = default;

  SpinLock lock;
  Waiter* head = nullptr;
};

void wake_all(WaitQueue& queue);
void wake_one(WaitQueue& queue);

namespace detail {
void prepare_wait(WaitQueue& queue, Waiter& waiter);  // enqueues the current task
void finish_wait(WaitQueue& queue, Waiter& waiter);
/// A signal is pending that ends what waits so.
bool interrupted(const Task& task, Interruptible by);
/// Sleeps until woken; EINTR (signal, only if interruptible), ETIMEDOUT.
Result<void> sleep(Nanoseconds deadline, Interruptible interruptible);
}  // namespace detail

/// Sleeps until `condition()` holds. ETIMEDOUT after `deadline`, EINTR when a signal is pending.
template <typename Condition>
Result<void> wait(WaitQueue& queue, Condition condition, Nanoseconds deadline,
                  Interruptible interruptible) {
  Waiter waiter;
  for (;;) {
    detail::prepare_wait(queue, waiter);
    if (condition()) {
      detail::finish_wait(queue, waiter);
      return {};
    }
    const Result<void> slept = detail::sleep(deadline, interruptible);
    detail::finish_wait(queue, waiter);
    if (!slept) {
      if (condition()) {
        return {};
      }
      return slept;
    }
  }
}

}  // namespace runhl::kernel
