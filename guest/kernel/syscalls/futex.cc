// SPDX-License-Identifier: Apache-2.0
#include "sched/futex.h"

#include <linux/capability.h>
#include <linux/futex.h>

#include <ctime>
#include <memory>

#include "core/user_memory.h"
#include "mm/heap.h"
#include "proc/process_table.h"
#include "proc/restart.h"
#include "sched/futex_pi.h"
#include "syscalls/handlers.h"
#include "syscalls/user_time.h"

namespace runhl::kernel {

namespace {

constexpr auto kCommandMask = static_cast<std::uint32_t>(FUTEX_CMD_MASK);

struct FutexCall {
  std::uint32_t command;
  bool real_clock;
  FutexWord word, second;
  std::uint32_t value;
  std::uint64_t timeout;  // address, or a second count
  std::uint32_t value3;

  [[nodiscard]] std::int32_t count() const { return static_cast<std::int32_t>(value); }
  [[nodiscard]] std::int32_t second_count() const { return static_cast<std::int32_t>(timeout); }
};

FutexCall parse(const SyscallArgs& args) {
  const auto op = static_cast<std::uint32_t>(args.a1);
  const FutexScope scope =
      (op & FUTEX_PRIVATE_FLAG) != 0 ? FutexScope::Private : FutexScope::Shared;
  return {.command = op & kCommandMask,
          .real_clock = (op & FUTEX_CLOCK_REALTIME) != 0,
          .word = {args.a0, scope},
          .second = {args.a4, scope},
          .value = static_cast<std::uint32_t>(args.a2),
          .timeout = args.a3,
          .value3 = static_cast<std::uint32_t>(args.a5)};
}

/// FUTEX_WAIT's is relative, the others' absolute; FUTEX_LOCK_PI's on the wall clock always.
Result<Nanoseconds> read_deadline(const FutexCall& call) {
  if (call.timeout == 0) {
    return kNoDeadline;
  }
  const Nanoseconds time = TRY(read_user_time(call.timeout));
  if (call.command == FUTEX_WAIT) {
    return deadline_after(time);
  }
  const bool real = call.real_clock || call.command == FUTEX_LOCK_PI;
  return deadline_at(real ? CLOCK_REALTIME : CLOCK_MONOTONIC, time);
}

Result<std::uint64_t> restart_wait(const RestartBlock& block);

/// A wait that a signal ends begins again: as it was, or, with a relative timeout, for the rest.
Result<void> wait_restartable(const FutexWait& wait, Nanoseconds deadline) {
  const Result<void> waited = futex_wait(wait, deadline);
  if (waited || to_int(waited.error()) != EINTR) {
    return waited;
  }
  if (deadline == kNoDeadline) {
    return fail(kRestartSys);
  }
  current().restart = {.again = &restart_wait,
                       .deadline = deadline,
                       .words = {wait.word.address, static_cast<std::uint64_t>(wait.word.scope),
                                 wait.expected, wait.bits}};
  return fail(kRestartBlock);
}

Result<std::uint64_t> restart_wait(const RestartBlock& block) {
  const FutexWait wait{{block.words[0], static_cast<FutexScope>(block.words[1])},
                       static_cast<std::uint32_t>(block.words[2]),
                       static_cast<std::uint32_t>(block.words[3])};
  TRY(wait_restartable(wait, block.deadline));
  return 0;
}

SyscallResult wait_bits(const FutexCall& call, std::uint32_t bits) {
  if (bits == 0) {
    return fail(EINVAL);
  }
  TRY(wait_restartable({call.word, call.value, bits}, TRY(read_deadline(call))));
  return 0;
}

SyscallResult wake_bits(const FutexCall& call, std::uint32_t bits) {
  if (bits == 0) {
    return fail(EINVAL);
  }
  return TRY(futex_wake(call.word, call.count(), bits));
}

FutexRequeue requeue_of(const FutexCall& call) {
  FutexRequeue request{call.word, call.second, call.count(), call.second_count(), std::nullopt};
  if (call.command != FUTEX_REQUEUE) {
    request.expected = call.value3;
  }
  return request;
}

/// The waits for ownership begin again after any handler.
SyscallResult owned(const Result<void>& result) {
  if (!result) {
    const int error = to_int(result.error());
    return fail(error == EINTR ? kRestartNoIntr : error);
  }
  return 0;
}

SyscallResult call_pi(const FutexCall& call) {
  switch (call.command) {
    case FUTEX_LOCK_PI:
    case FUTEX_LOCK_PI2:
      return owned(futex_lock_pi(call.word, TRY(read_deadline(call)), FutexLockMode::Wait));
    case FUTEX_TRYLOCK_PI:
      return owned(futex_lock_pi(call.word, kNoDeadline, FutexLockMode::Try));
    case FUTEX_UNLOCK_PI:
      return owned(futex_unlock_pi(call.word));
    case FUTEX_WAIT_REQUEUE_PI:
      return owned(futex_wait_requeue_pi({{call.word, call.value, kAnyBits}, call.second},
                                         TRY(read_deadline(call))));
    case FUTEX_CMP_REQUEUE_PI:
      return TRY(futex_requeue_pi(requeue_of(call)));
    default:
      return fail(ENOSYS);
  }
}

bool takes_real_clock(std::uint32_t command) {
  return command == FUTEX_WAIT_BITSET || command == FUTEX_WAIT_REQUEUE_PI ||
         command == FUTEX_LOCK_PI2;
}

/// struct futex_waitv; linux/futex.h of older hosts lacks it.
struct WaitvWords {
  std::uint64_t value, address;
  std::uint32_t flags, reserved;
};
static_assert(sizeof(WaitvWords) == 24);
constexpr std::uint32_t kWaitvSize32 = 2;  // FUTEX_32
constexpr std::uint32_t kWaitvMax = 128;   // FUTEX_WAITV_MAX

Result<FutexWait> waitv_of(const WaitvWords& words) {
  constexpr std::uint32_t kKnown = kWaitvSize32 | FUTEX_PRIVATE_FLAG;
  if ((words.flags & ~kKnown) != 0 || words.reserved != 0 || (words.flags & kWaitvSize32) == 0) {
    return fail(EINVAL);
  }
  const FutexScope scope =
      (words.flags & FUTEX_PRIVATE_FLAG) != 0 ? FutexScope::Private : FutexScope::Shared;
  return FutexWait{{words.address, scope}, static_cast<std::uint32_t>(words.value), kAnyBits};
}

}  // namespace

SyscallResult sys_futex(const SyscallArgs& args) {
  const FutexCall call = parse(args);
  if (call.real_clock && !takes_real_clock(call.command)) {
    return fail(ENOSYS);
  }
  switch (call.command) {
    case FUTEX_WAIT:
      return wait_bits(call, kAnyBits);
    case FUTEX_WAIT_BITSET:
      return wait_bits(call, call.value3);
    case FUTEX_WAKE:
      return wake_bits(call, kAnyBits);
    case FUTEX_WAKE_BITSET:
      return wake_bits(call, call.value3);
    case FUTEX_REQUEUE:
    case FUTEX_CMP_REQUEUE:
      return TRY(futex_requeue(requeue_of(call)));
    case FUTEX_WAKE_OP:
      return TRY(
          futex_wake_op({call.word, call.second, call.count(), call.second_count(), call.value3}));
    default:
      return call_pi(call);
  }
}

SyscallResult sys_futex_waitv(const SyscallArgs& args) {
  const auto count = static_cast<std::uint32_t>(args.a1);
  const auto clock = static_cast<int>(args.a4);
  if (static_cast<std::uint32_t>(args.a2) != 0 || count == 0 || count > kWaitvMax || args.a0 == 0) {
    return fail(EINVAL);
  }
  Nanoseconds deadline = kNoDeadline;
  if (args.a3 != 0) {
    if (clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC) {
      return fail(EINVAL);
    }
    deadline = deadline_at(clock, TRY(read_user_time(args.a3)));
  }
  const std::unique_ptr<FutexWait[]> waits(new (std::nothrow) FutexWait[count]);
  if (waits == nullptr) {
    return fail(ENOMEM);
  }
  for (std::uint32_t i = 0; i < count; ++i) {
    waits[i] = TRY(waitv_of(TRY(UserIn<WaitvWords>(args.a0).copy_in(i))));
  }
  return TRY(futex_wait_any({waits.get(), count}, deadline));
}

SyscallResult sys_set_robust_list(const SyscallArgs& args) {
  if (args.a1 != sizeof(robust_list_head)) {
    return fail(EINVAL);
  }
  current().robust_list = args.a0;
  return 0;
}

SyscallResult sys_get_robust_list(const SyscallArgs& args) {
  const auto tid = static_cast<std::int32_t>(args.a0);
  const Ref<Task> task = tid == 0 ? Ref<Task>(&current()) : find_task(tid);
  if (task == nullptr) {
    return fail(ESRCH);
  }
  const Credentials& caller = current().credentials;
  const Credentials& owner = task->credentials;
  if (task->process != current().process && caller.uid != owner.uid &&
      !caller.has(CAP_SYS_PTRACE)) {
    return fail(EPERM);
  }
  TRY(UserOut<std::uint64_t>(args.a2).copy_out(sizeof(robust_list_head)));
  TRY(UserOut<std::uint64_t>(args.a1).copy_out(task->robust_list));
  return 0;
}

}  // namespace runhl::kernel
