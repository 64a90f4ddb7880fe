// SPDX-License-Identifier: Apache-2.0
// Timers of timer_create(2). A timer owns one queue entry: while its signal is pending, expiries
// only count (overrun), and a periodic one is armed again when the signal is taken, as on Linux.
//
//   armed ──due──► fire: queue the entry ──signal taken──► posix_timer_delivered: count, arm again
//
// Those on CPU clocks have no deadline on CLOCK_MONOTONIC; the tick looks at them (cpu_timers.h).
#pragma once

#include <atomic>
#include <boost/intrusive/list.hpp>
#include <cstdint>

#include "core/result.h"
#include "mm/ref.h"
#include "proc/task_signals.h"
#include "sched/timers.h"

namespace runhl::kernel {

struct Process;
struct Task;

struct TimerSetting {
  Nanoseconds value = 0;     // until or, absolute, at the next expiry; 0: disarmed
  Nanoseconds interval = 0;  // 0: once
};

struct PosixTimer : RefCounted<PosixTimer>, boost::intrusive::list_base_hook<> {
  Timer timer;  // first: on_expiry finds the rest by it
  std::int32_t id = 0;
  int clock = 0;
  Process* process = nullptr;
  Ref<Task> thread;     // who gets the signal; null: the process
  Ref<Task> clocked;    // whose CPU time a thread's CPU clock counts
  bool silent = false;  // SIGEV_NONE
  QueuedSignal entry;
  // Guarded by the process's SignalState::lock.
  Nanoseconds deadline = 0;  // of the expiry that is next or was last, on its clock; 0: disarmed
  Nanoseconds interval = 0;
  std::uint64_t overruns = 0;     // of the pending signal
  std::int32_t last_overrun = 0;  // of the last one that was taken
  bool queued = false;
  bool outdated = false;  // deleted or set anew since: what is queued says nothing any more
  bool armed_on_cpu = false;
  Nanoseconds seen = 0;  // the CPU clock when it was last looked at
};

struct PosixTimers {
  boost::intrusive::list<PosixTimer> list;  // guarded by SignalState::lock
  std::int32_t next_id = 0;
  std::atomic<std::uint32_t> armed_on_cpu{0};  // how many of them are
};

struct TimerRequest {
  int clock = 0;
  std::int32_t notify = 0, signal = 0, thread = 0;
  std::uint64_t value = 0;
  bool value_is_id = false;  // no sigevent was given: the value is the timer's number
};

enum class TimerTime : bool { Relative, Absolute };

/// EINVAL, EAGAIN (RLIMIT_SIGPENDING), ENOMEM. Answers the number.
Result<std::int32_t> posix_timer_create(Process& process, const TimerRequest& request);
// EINVAL: no such timer.
Result<void> posix_timer_delete(Process& process, std::int32_t id);
/// The setting before.
Result<TimerSetting> posix_timer_set(Process& process, std::int32_t id, const TimerSetting& fresh,
                                     TimerTime kind);
Result<TimerSetting> posix_timer_get(Process& process, std::int32_t id);
Result<std::int32_t> posix_timer_overrun(Process& process, std::int32_t id);
/// exec and exit: all of them.
void posix_timers_clear(Process& process);

/// It is due. No lock held.
void posix_timer_expired(PosixTimer& timer);

// Of the signal queue; the caller holds SignalState::lock.
bool posix_timer_outdated(const PosixTimer& timer);
void posix_timer_delivered(PosixTimer& timer);
void posix_timer_unqueued(PosixTimer& timer);

}  // namespace runhl::kernel
