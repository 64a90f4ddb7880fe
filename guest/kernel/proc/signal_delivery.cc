// SPDX-License-Identifier: Apache-2.0
// Acting on signals, on the way to user code.
#include <asm/unistd_64.h>

#include "arch/x86_64/rewrite.h"
#include "core/linux_signal.h"
#include "proc/process.h"
#include "proc/rseq.h"
#include "proc/signal_frame.h"
#include "proc/signals.h"
#include "proc/thread.h"

namespace runhl::kernel {

namespace {

constexpr std::uint64_t kSyscallLength = 2;  // 0f 05

/// The restart code in rax of an interrupted system call, or 0.
int restart_code(const UserFrame& frame) {
  if (frame.orig_rax == ~0ULL) {
    return 0;
  }
  const auto value = static_cast<std::int64_t>(frame.rax);
  switch (value) {
    case -kRestartSys:
    case -kRestartNoIntr:
    case -kRestartNoHandler:
    case -kRestartBlock:
      return static_cast<int>(-value);
    default:
      return 0;
  }
}

void restart(UserFrame& frame, std::uint64_t number) {
  // The instruction's bytes are there at rewritten sites too.
  frame.rax = number;
  frame.rip = rewrite_original_address(frame.rip) - kSyscallLength;
  frame.orig_rax = ~0ULL;
}

void finish_interrupted_call(UserFrame& frame, const SignalAction& action) {
  const int code = restart_code(frame);
  if (code == 0) {
    return;
  }
  if (code == kRestartNoIntr || (code == kRestartSys && (action.flags & SA_RESTART) != 0)) {
    restart(frame, frame.orig_rax);
    return;
  }
  frame.rax = static_cast<std::uint64_t>(-EINTR);
}

/// The action for `number`, with SA_RESETHAND done.
SignalAction take_action(SignalState& state, int number) {
  SignalHands& hands = *state.hands;
  const SpinLock::Guard guard(hands.lock);
  SignalAction& action = hands.actions[static_cast<std::size_t>(number - 1)];
  const SignalAction taken = action;
  if ((taken.flags & SA_RESETHAND) != 0 && taken.handler != kDefaultHandler &&
      taken.handler != kIgnoreHandler) {
    action.handler = kDefaultHandler;
  }
  return taken;
}

void act_by_default(Process& process, const QueuedSignal& signal) {
  const int number = signal.info.number;
  const bool from_outside = signal.from_host && (number == SIGKILL || number == SIGSTOP);
  if (process.signals->unkillable && !from_outside) {
    return;
  }
  switch (default_action(number)) {
    case DefaultAction::Ignore:
    case DefaultAction::Continue:
      return;
    case DefaultAction::Stop:
      if (number == SIGSTOP || !group_is_orphaned(process)) {
        stop_process(process, number);
      }
      return;
    case DefaultAction::Terminate:
      process_exit(number);  // no core file is ever written
  }
}

void enter_handler(Task& task, UserFrame& frame, const SignalAction& action,
                   const SignalInfo& info) {
  TaskSignals& signals = task.signals;
  const SignalSet restore = signals.restore_mask ? signals.saved_mask : signals.blocked;
  finish_interrupted_call(frame, action);
  rseq_interrupted(task, frame);
  if (!push_signal_frame(task, frame, action, info, restore)) {
    if (info.number == SIGSEGV) {
      process_exit(SIGSEGV);
    }
    force_fault(task, fault_info(SIGSEGV, SI_KERNEL, 0));
    return;
  }
  signals.restore_mask = false;
  SignalSet blocked = signals.blocked | action.mask;
  if ((action.flags & SA_NODEFER) == 0) {
    blocked |= signal_bit(info.number);
  }
  set_blocked(task, blocked);
}

void without_handler(Task& task, UserFrame& frame) {
  if (const int code = restart_code(frame)) {
    restart(frame, code == kRestartBlock ? __NR_restart_syscall : frame.orig_rax);
  }
  if (task.signals.restore_mask) {
    task.signals.restore_mask = false;
    set_blocked(task, task.signals.saved_mask);
  }
}

/// What is not a signal: the process ends or is stopped.
void follow_process(Task& task) {
  const SignalState& state = *task.process->signals;
  const auto ends = [&state, &task] {
    const Task* const survivor = state.survivor.load();
    return state.exiting.load() || (survivor != nullptr && survivor != &task);
  };
  while (state.stopped.load() && !ends()) {
    park_while_stopped(task);
  }
  if (ends()) {
    thread_end(0);
  }
}

}  // namespace

void deliver_signals(UserFrame& frame) {
  Task& task = current();
  if (task.process == nullptr) {
    return;
  }
  QueuedSignal signal;
  for (;;) {
    follow_process(task);
    if (!signal_pending(task) || !signal_dequeue(task, signal)) {
      break;
    }
    const SignalAction action = take_action(*task.process->signals, signal.info.number);
    if (action.handler == kDefaultHandler) {
      act_by_default(*task.process, signal);
    } else if (action.handler != kIgnoreHandler) {
      enter_handler(task, frame, action, signal.info);
    }
  }
  without_handler(task, frame);
}

}  // namespace runhl::kernel
