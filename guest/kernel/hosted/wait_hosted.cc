// SPDX-License-Identifier: Apache-2.0
// sched/wait.h without tasks: waiting is yielding until the condition holds or the
// deadline has passed.
#include <thread>

#include "sched/lock_host.h"
#include "sched/wait.h"

namespace runhl::kernel {

void wake_all(WaitQueue&) {}
void wake_one(WaitQueue&) {}

namespace detail {

void prepare_wait(WaitQueue&, Waiter&) {}
void finish_wait(WaitQueue&, Waiter&) {}
Result<void> sleep(Nanoseconds deadline, Interruptible) {
  if (deadline != kNoDeadline && monotonic_now() >= deadline) {
    return fail(ETIMEDOUT);
  }
  const bool held = kernel_lock_drop();
  std::this_thread::yield();
  if (held) {
    kernel_lock_take();
  }
  return {};
}

}  // namespace detail

}  // namespace runhl::kernel
