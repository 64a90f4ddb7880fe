// SPDX-License-Identifier: Apache-2.0
#include <utility>

#include "core/linux_signal.h"
#include "core/user_memory.h"
#include "host/clock.h"
#include "proc/signal_frame.h"
#include "proc/signals.h"
#include "syscalls/handlers.h"
#include "syscalls/user_time.h"

namespace runhl::kernel {

namespace {

constexpr std::uint64_t kSetSize = sizeof(SignalSet);
constexpr SignalSet kUnblockable = signal_bit(SIGKILL) | signal_bit(SIGSTOP);

bool is_signal(std::int64_t number) {
  return number >= 1 && number <= kSignalCount;
}

std::int64_t signed_int(std::uint64_t argument) {
  return static_cast<std::int32_t>(argument);
}

/// Sleeps until a handler is to run or the process ends.
SyscallResult sleep_for_signal() {
  WaitQueue never;
  (void)wait(never, [] { return false; }, kNoDeadline, Interruptible::Yes);
  return fail(kRestartNoHandler);
}

}  // namespace

SyscallResult sys_rt_sigaction(const SyscallArgs& args) {
  const std::int64_t number = signed_int(args.a0);
  if (args.a3 != kSetSize || !is_signal(number)) {
    return fail(EINVAL);
  }
  const bool changes = args.a1 != 0;
  SignalAction fresh;
  if (changes) {
    fresh = TRY(UserIn<SignalAction>(args.a1).copy_in());
    if ((signal_bit(static_cast<int>(number)) & kUnblockable) != 0) {
      return fail(EINVAL);
    }
    fresh.mask &= ~kUnblockable;
  }
  Task& task = current();
  SignalState& state = *task.process->signals;
  SignalAction old;
  bool ignores = false;
  {
    const SpinLock::Guard guard(state.lock);
    const SpinLock::Guard hands_guard(state.hands->lock);
    SignalAction& action = state.hands->actions[static_cast<std::size_t>(number - 1)];
    old = action;
    if (changes) {
      action = fresh;
      ignores = fresh.handler == kIgnoreHandler ||
                (fresh.handler == kDefaultHandler &&
                 default_action(static_cast<int>(number)) == DefaultAction::Ignore);
    }
  }
  if (ignores) {
    signal_discard(*task.process, static_cast<int>(number));
  }
  if (args.a2 != 0) {
    TRY(UserOut<SignalAction>(args.a2).copy_out(old));
  }
  return 0;
}

SyscallResult sys_rt_sigprocmask(const SyscallArgs& args) {
  if (args.a3 != kSetSize) {
    return fail(EINVAL);
  }
  Task& task = current();
  const SignalSet old = task.signals.blocked;
  if (args.a1 != 0) {
    const SignalSet set = TRY(UserIn<SignalSet>(args.a1).copy_in());
    switch (static_cast<std::int32_t>(args.a0)) {
      case SIG_BLOCK:
        set_blocked(task, old | set);
        break;
      case SIG_UNBLOCK:
        set_blocked(task, old & ~set);
        break;
      case SIG_SETMASK:
        set_blocked(task, set);
        break;
      default:
        return fail(EINVAL);
    }
  }
  if (args.a2 != 0) {
    TRY(UserOut<SignalSet>(args.a2).copy_out(old));
  }
  return 0;
}

SyscallResult sys_rt_sigpending(const SyscallArgs& args) {
  if (args.a1 > kSetSize) {
    return fail(EINVAL);
  }
  const Task& task = current();
  const SignalSet pending = signals_waiting(task) & task.signals.blocked;
  TRY(copy_to_user(args.a0, &pending, args.a1));
  return 0;
}

SyscallResult sys_rt_sigsuspend(const SyscallArgs& args) {
  if (args.a1 != kSetSize) {
    return fail(EINVAL);
  }
  const SignalSet mask = TRY(UserIn<SignalSet>(args.a0).copy_in());
  Task& task = current();
  task.signals.saved_mask = task.signals.blocked;
  task.signals.restore_mask = true;
  set_blocked(task, mask);
  return sleep_for_signal();
}

SyscallResult sys_pause(const SyscallArgs&) {
  return sleep_for_signal();
}

namespace {

/// Sleeps until one of `wanted` has come, another signal, or the time is over. They are unblocked
/// meanwhile, so that they are sent here; `really_blocked` says that they are not to be thrown
/// away.
Result<void> sleep_for_any(Task& task, SignalSet wanted, Nanoseconds deadline) {
  const SignalSet old = task.signals.blocked;
  task.signals.really_blocked = old;
  set_blocked(task, old & ~wanted);
  WaitQueue never;
  const Result<void> slept = wait(never, [] { return false; }, deadline, Interruptible::Yes);
  task.signals.really_blocked = 0;
  set_blocked(task, old);
  return slept;
}

}  // namespace

SyscallResult sys_rt_sigtimedwait(const SyscallArgs& args) {
  if (args.a3 != kSetSize) {
    return fail(EINVAL);
  }
  const SignalSet wanted = TRY(UserIn<SignalSet>(args.a0).copy_in()) & ~kUnblockable;
  Nanoseconds deadline = kNoDeadline;
  if (args.a2 != 0) {
    deadline = deadline_after(TRY(read_user_time(args.a2)));
  }
  Task& task = current();
  QueuedSignal signal;
  if (!signal_dequeue_from(task, wanted, signal)) {
    const Result<void> slept = sleep_for_any(task, wanted, deadline);
    if (!signal_dequeue_from(task, wanted, signal)) {
      return fail(to_int(slept.error()) == ETIMEDOUT ? EAGAIN : EINTR);
    }
  }
  if (args.a1 != 0) {
    TRY(UserOut<SignalInfo>(args.a1).copy_out(signal.info));
  }
  return static_cast<std::uint64_t>(signal.info.number);
}

SyscallResult sys_rt_sigreturn(const SyscallArgs&) {
  Task& task = current();
  UserFrame& frame = *task.frame;
  if (!pop_signal_frame(task, frame)) {
    force_fault(task, fault_info(SIGSEGV, SI_KERNEL, 0));
  }
  return frame.rax;
}

SyscallResult sys_restart_syscall(const SyscallArgs&) {
  Task& task = current();
  const RestartBlock block = std::exchange(task.restart, {});
  return block.again == nullptr ? SyscallResult(fail(EINTR)) : block.again(block);
}

SyscallResult sys_sigaltstack(const SyscallArgs& args) {
  Task& task = current();
  const std::uint64_t stack_pointer = task.frame->rsp;
  const StackWords old = describe_stack(task, stack_pointer);
  if (args.a0 != 0) {
    TRY(set_alternate_stack(task, TRY(UserIn<StackWords>(args.a0).copy_in()), stack_pointer));
  }
  if (args.a1 != 0) {
    TRY(UserOut<StackWords>(args.a1).copy_out(old));
  }
  return 0;
}

}  // namespace runhl::kernel
