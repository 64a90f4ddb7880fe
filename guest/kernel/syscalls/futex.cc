// SPDX-License-Identifier: Apache-2.0
#include "sched/futex.h"

#include <linux/futex.h>

#include "host/clock.h"
#include "syscalls/handlers.h"

namespace runhl::kernel {

namespace {

constexpr auto kCommandMask = static_cast<std::uint32_t>(FUTEX_CMD_MASK);

Result<Nanoseconds> read_timeout(UserAddress address) {
  const auto time = TRY(UserIn<__kernel_timespec>(address).copy_in());
  if (time.tv_sec < 0 || time.tv_nsec < 0 || time.tv_nsec >= kNanosPerSecond) {
    return fail(EINVAL);
  }
  constexpr std::int64_t kMaxSeconds = INT64_MAX / kNanosPerSecond / 2;
  return time.tv_sec > kMaxSeconds ? kMaxSeconds * kNanosPerSecond : to_nanoseconds(time);
}

/// FUTEX_WAIT's is relative, FUTEX_WAIT_BITSET's absolute on one of two clocks.
Result<Nanoseconds> read_deadline(std::uint32_t op, UserAddress address) {
  if (address == 0) {
    return kNoDeadline;
  }
  const Nanoseconds time = TRY(read_timeout(address));
  if ((op & kCommandMask) == FUTEX_WAIT) {
    return monotonic_now() + time;
  }
  const bool real = (op & FUTEX_CLOCK_REALTIME) != 0;
  return real ? monotonic_now() + (time - realtime_now()) : time;
}

}  // namespace

SyscallResult sys_futex(const SyscallArgs& args) {
  const UserAddress word = args.a0;
  const auto op = static_cast<std::uint32_t>(args.a1);
  const auto value = static_cast<std::uint32_t>(args.a2);
  const std::uint32_t command = op & kCommandMask;
  const bool bitset = command == FUTEX_WAIT_BITSET || command == FUTEX_WAKE_BITSET;
  const auto bits = bitset ? static_cast<std::uint32_t>(args.a5) : FUTEX_BITSET_MATCH_ANY;
  if (word % sizeof(std::uint32_t) != 0 || bits == 0) {
    return fail(EINVAL);
  }
  switch (command) {
    case FUTEX_WAIT:
    case FUTEX_WAIT_BITSET:
      TRY(futex_wait({word, value, bits, TRY(read_deadline(op, args.a3))}));
      return 0;
    case FUTEX_WAKE:
    case FUTEX_WAKE_BITSET:
      return futex_wake(word, value, bits);
    case FUTEX_CMP_REQUEUE:
      if (TRY(UserIn<std::uint32_t>(word).copy_in()) != static_cast<std::uint32_t>(args.a5)) {
        return fail(EAGAIN);
      }
      [[fallthrough]];
    case FUTEX_REQUEUE:
      // Those that would be moved are woken: to them a spurious wake-up, which futexes have.
      return futex_wake(word, value + static_cast<std::uint32_t>(args.a3), bits);
    default:
      return fail(ENOSYS);
  }
}

}  // namespace runhl::kernel
