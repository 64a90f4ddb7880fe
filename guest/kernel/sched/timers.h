// SPDX-License-Identifier: Apache-2.0
// Guest timers on CLOCK_MONOTONIC, ordered by deadline. They fire out of the idle loop and the slow
// exit; the host is asked for a wake-up only for the nearest one.
//
//   timer.fire = &on_expiry;             // called once, no lock held, on some vCPU
//   timer_set(timer, monotonic_now() + 5 * kMillisecond);
//   timer_cancel(timer);
#pragma once

#include <boost/intrusive/set.hpp>
#include <cstdint>

#include "sched/locks.h"
#include "sched/wait.h"

namespace runhl::kernel {

struct Timer {
  boost::intrusive::set_member_hook<> hook;
  Nanoseconds deadline = 0;
  void (*fire)(Timer& timer) = nullptr;
};

/// The ordered set; one instance in the kernel, more in tests. Its lock has rank Timers.
class TimerQueue {
 public:
  /// True: `timer` is now the nearest one.
  bool set(Timer& timer, Nanoseconds deadline);
  /// True: it had not fired.
  bool cancel(Timer& timer);
  /// The nearest deadline, or kNoDeadline.
  [[nodiscard]] Nanoseconds nearest();
  /// Fires all that are due, one at a time, without the lock.
  void expire(Nanoseconds now);

 private:
  struct ByDeadline {
    bool operator()(const Timer& a, const Timer& b) const { return a.deadline < b.deadline; }
  };
  using Hook =
      boost::intrusive::member_hook<Timer, boost::intrusive::set_member_hook<>, &Timer::hook>;
  using Set = boost::intrusive::multiset<Timer, Hook, boost::intrusive::compare<ByDeadline>>;

  Timer* pop_due(Nanoseconds now);

  SpinLock lock_{LockRank::Timers};
  Set set_;
};

/// The kernel's queue. A new nearest timer makes the running vCPU look at its tick on exit.
void timer_set(Timer& timer, Nanoseconds deadline);
bool timer_cancel(Timer& timer);
/// Of the kernel's queue. Also for a program that has armed a timer: one that is due already fires
/// then, as on Linux, and not with the next tick. No lock held.
void fire_due_timers();
TimerQueue& timers();
Result<void> timers_init();  // at boot; ENOMEM

}  // namespace runhl::kernel
