// SPDX-License-Identifier: Apache-2.0
#include "core/linux_signal.h"
#include "core/user_memory.h"
#include "host/clock.h"
#include "proc/signal_frame.h"
#include "proc/signals.h"
#include "syscalls/handlers.h"

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

void drop_ignored(SignalState& state, Task& task, int number) {
  // A signal that is now ignored is no longer pending (POSIX, sigaction).
  for (SignalQueue* queue : {&task.signals.queue, &state.shared}) {
    queue->entries.remove_and_dispose_if(
        [number](const QueuedSignal& entry) { return entry.info.number == number; },
        [](QueuedSignal* entry) { delete entry; });
    queue->pending.fetch_and(~signal_bit(number));
  }
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
  {
    const SpinLock::Guard guard(state.lock);
    const SpinLock::Guard hands_guard(state.hands->lock);
    SignalAction& action = state.hands->actions[static_cast<std::size_t>(number - 1)];
    old = action;
    if (changes) {
      action = fresh;
      const bool ignores =
          fresh.handler == 1 ||
          (fresh.handler == 0 && default_action(static_cast<int>(number)) == DefaultAction::Ignore);
      if (ignores) {
        drop_ignored(state, task, static_cast<int>(number));
      }
    }
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
  const SignalSet pending =
      (task.signals.queue.pending.load() | task.process->signals->shared.pending.load()) &
      task.signals.blocked;
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

SyscallResult sys_rt_sigtimedwait(const SyscallArgs& args) {
  if (args.a3 != kSetSize) {
    return fail(EINVAL);
  }
  const SignalSet wanted = TRY(UserIn<SignalSet>(args.a0).copy_in()) & ~kUnblockable;
  Nanoseconds deadline = kNoDeadline;
  if (args.a2 != 0) {
    const auto timeout = TRY(UserIn<__kernel_timespec>(args.a2).copy_in());
    if (timeout.tv_sec < 0 || timeout.tv_nsec < 0 || timeout.tv_nsec >= kNanosPerSecond) {
      return fail(EINVAL);
    }
    deadline = monotonic_now() + to_nanoseconds(timeout);
  }
  // Unblocked while it waits, so that one that comes ends the sleep; only `wanted` are taken.
  Task& task = current();
  const SignalSet old = task.signals.blocked;
  task.signals.blocked = old & ~wanted;
  WaitQueue never;
  (void)wait(never, [] { return false; }, deadline, Interruptible::Yes);
  task.signals.blocked = ~wanted;
  QueuedSignal signal;
  const bool taken = signal_dequeue(task, signal);
  set_blocked(task, old);
  if (!taken) {
    return fail(signal_pending(task) ? EINTR : EAGAIN);
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

SyscallResult sys_sigaltstack(const SyscallArgs& args) {
  Task& task = current();
  const std::uint64_t stack_pointer = task.frame->rsp;
  const StackWords old = describe_stack(task, stack_pointer);
  if (args.a0 != 0) {
    constexpr std::uint64_t kMinimum = 2048;                                   // MINSIGSTKSZ
    constexpr std::int32_t kAutoDisarm = static_cast<std::int32_t>(1U << 31);  // SS_AUTODISARM
    const auto fresh = TRY(UserIn<StackWords>(args.a0).copy_in());
    if (on_alternate_stack(task, stack_pointer)) {
      return fail(EPERM);
    }
    const std::int32_t mode = fresh.flags & ~kAutoDisarm;
    if (mode != SS_DISABLE && mode != SS_ONSTACK && mode != 0) {
      return fail(EINVAL);
    }
    if (mode == SS_DISABLE) {
      task.signals.stack = {};
    } else if (fresh.size < kMinimum) {
      return fail(ENOMEM);
    } else {
      task.signals.stack = {fresh.address, fresh.size, 0};
    }
  }
  if (args.a1 != 0) {
    TRY(UserOut<StackWords>(args.a1).copy_out(old));
  }
  return 0;
}

}  // namespace runhl::kernel
