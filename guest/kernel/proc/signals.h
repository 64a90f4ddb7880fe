// SPDX-License-Identifier: Apache-2.0
// Guest signals: who gets one, what it does.
//
//   signal_send(process, info, Origin::Guest)  ─┐  queued, unless ignored; a thread that takes it
//   is signal_send_task(task, info)               ─┤  woken force_fault(task, info) ─┘  the
//   program's own doing: cannot be ignored
//                                     deliver_signals(frame)   on the way to user code
//
// A thread has `attention` set when something may wait for it there: that ends its interruptible
// sleeps. As on Linux a signal for the process gives it to one thread alone, so that the others'
// calls are not interrupted.
//
// The container's init (pid 1) has Linux's protection of a pid namespace's init: a signal without a
// handler does nothing to it, but for KILL and STOP from outside and its own faults.
#pragma once

#include <array>
#include <cstdint>
#include <utility>

#include "core/result.h"
#include "fs/poll_source.h"
#include "mm/heap.h"
#include "mm/ref.h"
#include "proc/process_table.h"
#include "proc/restart.h"
#include "proc/task.h"
#include "proc/task_signals.h"

namespace runhl::kernel {

/// struct sigaction of rt_sigaction(2) on x86-64.
struct SignalAction {
  std::uint64_t handler = 0;  // kDefaultHandler, kIgnoreHandler, or an address
  std::uint64_t flags = 0;
  std::uint64_t restorer = 0;
  SignalSet mask = 0;
};
inline constexpr std::uint64_t kDefaultHandler = 0;  // SIG_DFL
inline constexpr std::uint64_t kIgnoreHandler = 1;   // SIG_IGN

/// What to do on each signal; shared by processes that were cloned with CLONE_SIGHAND.
struct SignalHands : RefCounted<SignalHands> {
  SpinLock lock{LockRank::SignalHands};
  std::array<SignalAction, kSignalCount> actions{};  // guarded by lock
};

/// Signals of one process.
struct SignalState {
  explicit SignalState(Ref<SignalHands> of) : hands(std::move(of)) {}
  [[nodiscard]] SignalAction action(int number) const;

  /// Guards the queues and masks of the process's threads too.
  SpinLock lock{LockRank::Signals};
  Ref<SignalHands> hands;    // changed by the process's own exec only
  SignalQueue shared;        // guarded by lock
  std::uint32_t queued = 0;  // entries of all queues, for RLIMIT_SIGPENDING; guarded by lock
  bool unkillable = false;   // the container's init
  WaitQueue arrival_queue;   // signalfd: woken for blocked signals, too
  PollSource arrivals;

  // Group stop (signal_stop.cc).
  bool stop_taken = false;           // guarded by lock: a stop signal is being acted on
  bool killed = false;               // guarded by lock: SIGKILL was sent, nothing stops it
  std::atomic<bool> stopped{false};  // its threads park on their way to user code
  WaitQueue continued;
  std::uint32_t parked = 0;  // threads that do; guarded by lock
  int stop_signal = 0;       // what stopped it; 0: its parent was told

  // Threads end on their way to user code (thread.h):
  std::atomic<bool> exiting{false};      // all,
  std::atomic<Task*> survivor{nullptr};  // or all but this one
};

/// With `hands`, or with all actions default.
Result<Owned<SignalState>> signals_create(Ref<SignalHands> hands = nullptr);
/// A copy, for a fork.
Result<Ref<SignalHands>> copy_hands(const SignalState& from);
/// All actions default.
void reset_actions(SignalHands& hands);

/// Interruptible sleeps end.
inline bool signal_pending(const Task& task) {
  return task.signals.attention.load();
}
/// One that ends the process: killable sleeps end.
bool fatal_signal_pending(const Task& task);

enum class Origin : bool { Guest, Host };
Result<void> signal_send(Process& process, const SignalInfo& info, Origin origin);
Result<void> signal_send_task(Task& task, const SignalInfo& info);
/// The caller holds the process table's lock.
Result<void> signal_send_locked(Process& process, const SignalInfo& info, Origin origin);
Result<void> signal_send_task_locked(Task& task, const SignalInfo& info);
/// With an entry that the sender owns, which is not on a queue now (POSIX timers). False: ignored.
bool signal_send_entry(Process& process, Task* only, QueuedSignal& entry);
/// The monitor passes on a signal for the container's init.
void signal_from_host(int number);
/// One for every process of the container.
void signal_all_from_host(int number);
/// A fault of the running program: unblocked and unignored by force.
void force_fault(Task& task, const SignalInfo& info);
SignalInfo fault_info(int number, int code, std::uint64_t address);

/// Changes the current task's mask (KILL and STOP stay deliverable). What it no longer takes is
/// offered to the process's other threads.
void set_blocked(Task& task, SignalSet blocked);
/// Lets a thread look at its signals on the way to user code, wherever it is.
void demand_attention(Task& task);

/// exec: handlers become default, the alternate stack goes.
Result<void> signals_reset_for_exec(Task& task);
/// A new thread or process: nothing is pending for it; the mask is the creator's.
void signals_inherit(Task& child, const Task& creator);
/// A thread's end: its own entries go; what it could have taken is offered to others.
void signals_leave(Task& task);

/// Takes the next unblocked signal, faults first, then the lowest number; the task's own before the
/// process's. False: none.
bool signal_dequeue(Task& task, QueuedSignal& out);
/// The same of a set, whatever is blocked.
bool signal_dequeue_from(Task& task, SignalSet set, QueuedSignal& out);
/// All that is pending for the task, blocked or not.
SignalSet signals_waiting(const Task& task);
/// A signal that is now ignored is no longer pending (POSIX, sigaction).
void signal_discard(Process& process, int number);

/// Acts on all pending signals and finishes an interrupted system call. May end the thread.
void deliver_signals(UserFrame& frame);

/// Stops the process by `number`, unless SIGCONT or SIGKILL came since that was taken. Its threads
/// park on their way to user code.
void stop_process(Process& process, int number);
/// Sleeps while the process is stopped; the last thread to do so tells the parent.
void park_while_stopped(Task& task);
/// A stopped process goes on; by SIGCONT its parent hears of it. Under the process table's lock.
void resume_stopped(Process& process, int number);
/// Under the process table's lock: all threads there are have parked, perhaps since one has ended.
void tell_if_all_parked(Process& process);

enum class DefaultAction : std::uint8_t { Terminate, Ignore, Stop, Continue };
DefaultAction default_action(int number);

}  // namespace runhl::kernel
