// SPDX-License-Identifier: Apache-2.0
// Futexes: tasks waiting on a word of their own memory (futex(2)). Those with an owner, the PI
// ones, are in sched/futex_pi.h.
//
//   TRY(futex_wait({{address, FutexScope::Private}, expected}, deadline));
//   TRY(futex_wake({address, FutexScope::Private}, 1, kAnyBits));
//
// A waiter is put on its list before it reads the word: whoever changes the word after that read
// finds it. The lists are keyed by (address space, address), or for words in shared memory by
// (object, offset), so that they meet whoever maps them.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "core/result.h"
#include "core/user_memory.h"
#include "sched/wait.h"

namespace runhl::kernel {

enum class FutexScope : std::uint8_t { Private, Shared };

struct FutexWord {
  UserAddress address = 0;
  FutexScope scope = FutexScope::Private;
};

inline constexpr std::uint32_t kAnyBits = ~0U;  // FUTEX_BITSET_MATCH_ANY

struct FutexWait {
  FutexWord word;
  std::uint32_t expected = 0;
  std::uint32_t bits = kAnyBits;
};

struct FutexRequeue {
  FutexWord from, to;
  std::int32_t wake = 0;  // at most so many are woken,
  std::int32_t move = 0;  // and so many of the others moved
  std::optional<std::uint32_t> expected;
};

// All: EINVAL for a misaligned word, EFAULT for one that is not there.

/// EAGAIN: the word is not `expected`. ETIMEDOUT, EINTR.
Result<void> futex_wait(const FutexWait& request, Nanoseconds deadline);
/// Waits on several; the index of one that was woken. ENOMEM.
Result<std::size_t> futex_wait_any(std::span<const FutexWait> requests, Nanoseconds deadline);
/// Wakes at most `count` waiters (but one at least, as Linux does) that have one of `bits`; answers
/// how many.
Result<std::uint32_t> futex_wake(FutexWord word, std::int32_t count, std::uint32_t bits);
/// How many were woken or moved. EAGAIN: the word is not the expected one.
Result<std::uint32_t> futex_requeue(const FutexRequeue& request);

/// FUTEX_WAKE_OP: changes `second` by the encoded operation, wakes waiters of `first`, and of
/// `second` if its old value compares as encoded.
struct FutexWakeOp {
  FutexWord first, second;
  std::int32_t wake_first = 0, wake_second = 0;
  std::uint32_t operation = 0;
};
Result<std::uint32_t> futex_wake_op(const FutexWakeOp& request);

Result<void> futex_init();  // at boot; ENOMEM

}  // namespace runhl::kernel
