// SPDX-License-Identifier: Apache-2.0
// Guest signals: who gets one, what it does. Delivery to a handler is in signal_delivery.cc.
//
//   signal_send(process, info, Origin::Guest)  ─┐  queued, unless ignored; the target is woken
//   signal_send_task(task, info)               ─┤
//   force_fault(task, info)                    ─┘  the program's own doing: cannot be ignored
//                                     deliver_signals(frame)   on the way to user code
//
// The container's init (pid 1) has Linux's protection of a pid namespace's init: a signal without a
// handler does nothing to it, but for KILL and STOP from outside and its own faults.
#pragma once

#include <array>
#include <cstdint>

#include "core/result.h"
#include "fs/poll_source.h"
#include "mm/heap.h"
#include "mm/ref.h"
#include "proc/task.h"
#include "proc/task_signals.h"

namespace runhl::kernel {

/// struct sigaction of rt_sigaction(2) on x86-64.
struct SignalAction {
  std::uint64_t handler = 0;  // 0 SIG_DFL, 1 SIG_IGN
  std::uint64_t flags = 0;
  std::uint64_t restorer = 0;
  SignalSet mask = 0;
};

/// What to do on each signal; shared by processes that were cloned with CLONE_SIGHAND.
struct SignalHands : RefCounted<SignalHands> {
  SpinLock lock{LockRank::SignalHands};
  std::array<SignalAction, kSignalCount> actions{};  // guarded by lock
};

/// Signals of one process.
struct SignalState {
  explicit SignalState(Ref<SignalHands> of) : hands(std::move(of)) {}
  [[nodiscard]] SignalAction action(int number) const;

  SpinLock lock{LockRank::Signals};
  Ref<SignalHands> hands;   // changed by the process's own exec only
  SignalQueue shared;       // guarded by lock
  bool unkillable = false;  // the container's init
  bool stop_taken = false;  // guarded by lock: a stop signal is being acted on
  std::atomic<bool> stopped{false};
  WaitQueue continued;
  WaitQueue arrival_queue;  // signalfd: woken for blocked signals, too
  PollSource arrivals;
};

// What a system call returns inside the kernel when a signal interrupted it; never seen by a
// program. The numbers are Linux's own (include/linux/errno.h).
inline constexpr int kRestartSys = 512;        // again if the handler has SA_RESTART, else EINTR
inline constexpr int kRestartNoIntr = 513;     // always again
inline constexpr int kRestartNoHandler = 514;  // EINTR with a handler, again without

/// With `hands`, or with all actions default.
Result<Owned<SignalState>> signals_create(Ref<SignalHands> hands = nullptr);
/// A copy, for a fork.
Result<Ref<SignalHands>> copy_hands(const SignalState& from);

/// All actions default.
void reset_actions(SignalHands& hands);

/// A deliverable signal is pending: interruptible sleeps end.
bool signal_pending(const Task& task);
/// One that ends the process: killable sleeps end.
bool fatal_signal_pending(const Task& task);

enum class Origin : bool { Guest, Host };
Result<void> signal_send(Process& process, const SignalInfo& info, Origin origin);
/// The caller holds the process table's lock.
Result<void> signal_send_locked(Process& process, const SignalInfo& info, Origin origin);
Result<void> signal_send_task(Task& task, const SignalInfo& info);
Result<void> signal_send_task_locked(Task& task, const SignalInfo& info);
/// The monitor passes on a signal for the container's init.
void signal_from_host(int number);
/// One for every process of the container.
void signal_all_from_host(int number);
/// A fault of the running program: unblocked and unignored by force.
void force_fault(Task& task, const SignalInfo& info);
SignalInfo fault_info(int number, int code, std::uint64_t address);

/// Changes the task's mask (KILL and STOP stay deliverable) and looks at what is pending.
void set_blocked(Task& task, SignalSet blocked);

/// exec: handlers become default and the process's own, the alternate stack goes. ENOMEM.
Result<void> signals_reset_for_exec(Task& task);

/// Stops the current process until SIGCONT or SIGKILL, unless one came since `number` was taken.
void stop_process(int number);

/// Takes the next signal to act on, the lowest number first, faults before all. False: none.
bool signal_dequeue(Task& task, QueuedSignal& out);
/// The same of a set, whatever is blocked.
bool signal_dequeue_from(Task& task, SignalSet set, QueuedSignal& out);
/// All that is pending for the task, blocked or not.
SignalSet signals_waiting(const Task& task);

/// Acts on all pending signals and finishes an interrupted system call. May end the process.
void deliver_signals(UserFrame& frame);

enum class DefaultAction : std::uint8_t { Terminate, Ignore, Stop, Continue };
DefaultAction default_action(int number);

}  // namespace runhl::kernel
