// SPDX-License-Identifier: Apache-2.0
#include "sched/timers.h"

namespace runhl::kernel {

bool TimerQueue::set(Timer& timer, Nanoseconds deadline) {
  const SpinLock::Guard guard(lock_);
  if (timer.hook.is_linked()) {
    set_.erase(set_.iterator_to(timer));
  }
  timer.deadline = deadline;
  set_.insert(timer);
  return &*set_.begin() == &timer;
}

bool TimerQueue::cancel(Timer& timer) {
  const SpinLock::Guard guard(lock_);
  if (!timer.hook.is_linked()) {
    return false;
  }
  set_.erase(set_.iterator_to(timer));
  return true;
}

Nanoseconds TimerQueue::nearest() {
  const SpinLock::Guard guard(lock_);
  return set_.empty() ? kNoDeadline : set_.begin()->deadline;
}

Timer* TimerQueue::pop_due(Nanoseconds now) {
  const SpinLock::Guard guard(lock_);
  if (set_.empty() || set_.begin()->deadline > now) {
    return nullptr;
  }
  Timer& due = *set_.begin();
  set_.erase(set_.begin());
  return &due;
}

void TimerQueue::expire(Nanoseconds now) {
  while (Timer* due = pop_due(now)) {
    due->fire(*due);
  }
}

}  // namespace runhl::kernel
