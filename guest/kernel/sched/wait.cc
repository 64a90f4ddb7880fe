// SPDX-License-Identifier: Apache-2.0
#include "sched/wait.h"

#include "core/panic.h"
#include "proc/signals.h"
#include "sched/lock_host.h"
#include "sched/scheduler.h"
#include "sched/timers.h"

namespace runhl::kernel {

namespace {

void unlink(WaitQueue& queue, Waiter& waiter) {
  (waiter.previous != nullptr ? waiter.previous->next : queue.head) = waiter.next;
  if (waiter.next != nullptr) {
    waiter.next->previous = waiter.previous;
  }
  waiter.next = waiter.previous = nullptr;
}

/// Takes the first waiter off the queue; a woken one is off, so that one wake reaches one task. The
/// task is to be woken before the queue's lock is given back: finish_wait() takes that lock too,
/// and until it has, the task cannot go on and end.
Task* take_first_locked(WaitQueue& queue) {
  Waiter* const first = queue.head;
  if (first == nullptr) {
    return nullptr;
  }
  unlink(queue, *first);
  Task* const task = first->task;
  first->task = nullptr;
  return task;
}

void on_sleep_timer(Timer& timer) {
  // SAFETY: only sleep() sets this function, on the first member of a SleepTimer.
  static_assert(offsetof(SleepTimer, timer) == 0);
  auto& sleeper = reinterpret_cast<SleepTimer&>(timer);
  wake(*sleeper.task);
  sleeper.armed.store(false, std::memory_order_release);  // the task may end now
}

/// The timer is off, and nobody looks at its task any more. An expiry on this vCPU is through
/// before its task runs again; on another one it is a few instructions away.
void settle(SleepTimer& sleeper) {
  if (timer_cancel(sleeper.timer)) {
    return;
  }
  while (sleeper.armed.load(std::memory_order_acquire)) {
    __builtin_ia32_pause();
  }
}

}  // namespace

void wake_one(WaitQueue& queue) {
  const SpinLock::Guard guard(queue.lock);
  if (Task* const task = take_first_locked(queue)) {
    wake(*task);
  }
}

void wake_all(WaitQueue& queue) {
  const SpinLock::Guard guard(queue.lock);
  while (Task* const task = take_first_locked(queue)) {
    wake(*task);
  }
}

namespace detail {

bool interrupted(const Task& task, Interruptible by) {
  switch (by) {
    case Interruptible::No:
      return false;
    case Interruptible::Yes:
      return signal_pending(task);
    case Interruptible::Killable:
      return fatal_signal_pending(task);
  }
  return false;
}

void prepare_wait(WaitQueue& queue, Waiter& waiter) {
  Task& task = current();
  const SpinLock::Guard guard(queue.lock);
  waiter = {&task, queue.head, nullptr};
  if (queue.head != nullptr) {
    queue.head->previous = &waiter;
  }
  queue.head = &waiter;
  task.state.store(TaskState::Sleeping, std::memory_order_seq_cst);
}

void finish_wait(WaitQueue& queue, Waiter& waiter) {
  const SpinLock::Guard guard(queue.lock);
  if (waiter.task != nullptr) {
    unlink(queue, waiter);
    waiter.task = nullptr;
  }
  // SAFETY of the order: the run queue's lock ranks above the wait queue's.
  stay_running(current());
}

Result<void> sleep(Nanoseconds deadline, Interruptible interruptible) {
  Task& task = current();
  if (task.locks.holds_spinlock()) {
    panic("sleep with a spinlock held");
  }
  if (interrupted(task, interruptible)) {
    return fail(EINTR);
  }
  if (deadline != kNoDeadline) {
    if (deadline <= monotonic_now()) {
      return fail(ETIMEDOUT);
    }
    SleepTimer& sleeper = task.sleep_timer;
    if (sleeper.task == nullptr) {  // once: an expiry on another vCPU may just be reading it
      sleeper.task = &task;
      sleeper.timer.fire = &on_sleep_timer;
    }
    sleeper.armed.store(true, std::memory_order_relaxed);
    timer_set(sleeper.timer, deadline);
  }
  const bool held = kernel_lock_drop();
  schedule();
  if (held) {
    kernel_lock_take();
  }
  if (deadline != kNoDeadline) {
    settle(task.sleep_timer);
  }
  if (interrupted(task, interruptible)) {
    return fail(EINTR);
  }
  if (deadline != kNoDeadline && deadline <= monotonic_now()) {
    return fail(ETIMEDOUT);
  }
  return {};
}

}  // namespace detail

}  // namespace runhl::kernel
