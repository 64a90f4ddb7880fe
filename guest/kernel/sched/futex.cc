// SPDX-License-Identifier: Apache-2.0
#include "sched/futex.h"

#include <linux/futex.h>

#include <memory>

#include "mm/heap.h"
#include "sched/futex_table.h"

namespace runhl::kernel {

namespace {

void set_key(FutexWaiter& waiter, PinnedFutexKey&& pinned) {
  waiter.key = pinned.key;
  waiter.pin = std::move(pinned.pin);
}

/// Wakes waiters of `key` in a locked bucket.
Result<std::uint32_t> wake_locked(FutexBucket& bucket, const FutexKey& key, std::int32_t count,
                                  std::uint32_t bits) {
  std::int32_t woken = 0;
  for (auto it = bucket.waiters.begin(); it != bucket.waiters.end();) {
    FutexWaiter& waiter = *it++;
    if (waiter.key != key || (waiter.bits & bits) == 0) {
      continue;
    }
    if (waiter.kind != FutexKind::Plain) {
      return fail(EINVAL);  // it waits for ownership, not for a wake-up
    }
    futex_wake_waiter(bucket, waiter);
    if (++woken >= count) {
      break;
    }
  }
  return static_cast<std::uint32_t>(woken);
}

Result<std::uint32_t> requeue_locked(const FutexRequeue& request, const FutexKey& from,
                                     const PinnedFutexKey& to) {
  FutexBucket& source = futex_bucket(from);
  FutexBucket& target = futex_bucket(to.key);
  std::int32_t done = 0;
  for (auto it = source.waiters.begin(); it != source.waiters.end();) {
    FutexWaiter& waiter = *it++;
    if (done - request.wake >= request.move) {
      break;
    }
    if (waiter.key != from) {
      continue;
    }
    if (waiter.kind != FutexKind::Plain) {
      return fail(EINVAL);
    }
    const bool moves = ++done > request.wake;
    if (moves && from == to.key) {
      continue;
    }
    // One that cannot be moved again is woken: to it a spurious wake-up, which futexes have.
    if (!moves || !futex_move(waiter, source, target, to)) {
      futex_wake_waiter(source, waiter);
    }
  }
  return static_cast<std::uint32_t>(done);
}

/// The second half of FUTEX_WAKE_OP's word.
struct EncodedOp {
  std::uint32_t operation, comparison;
  std::int32_t operand, compared;
};

constexpr std::int32_t sign_extended_12(std::uint32_t value) {
  return static_cast<std::int32_t>(value << 20) >> 20;
}

Result<EncodedOp> decode(std::uint32_t word) {
  EncodedOp op{word >> 28 & 7, word >> 24 & 15, sign_extended_12(word >> 12 & 0xfff),
               sign_extended_12(word & 0xfff)};
  if ((word >> 28 & FUTEX_OP_OPARG_SHIFT) != 0) {
    op.operand = static_cast<std::int32_t>(1U << (static_cast<std::uint32_t>(op.operand) & 31));
  }
  if (op.operation > FUTEX_OP_XOR || op.comparison > FUTEX_OP_CMP_GE) {
    return fail(ENOSYS);
  }
  return op;
}

std::uint32_t changed(const EncodedOp& op, std::uint32_t old) {
  const auto operand = static_cast<std::uint32_t>(op.operand);
  switch (op.operation) {
    case FUTEX_OP_SET:
      return operand;
    case FUTEX_OP_ADD:
      return old + operand;
    case FUTEX_OP_OR:
      return old | operand;
    case FUTEX_OP_ANDN:
      return old & ~operand;
    default:
      return old ^ operand;
  }
}

bool compares(const EncodedOp& op, std::int32_t old) {
  switch (op.comparison) {
    case FUTEX_OP_CMP_EQ:
      return old == op.compared;
    case FUTEX_OP_CMP_NE:
      return old != op.compared;
    case FUTEX_OP_CMP_LT:
      return old < op.compared;
    case FUTEX_OP_CMP_LE:
      return old <= op.compared;
    case FUTEX_OP_CMP_GT:
      return old > op.compared;
    default:
      return old >= op.compared;
  }
}

/// Atomically; the value before.
Result<std::uint32_t> apply(const EncodedOp& op, UserAddress word) {
  std::uint32_t old = TRY(UserIn<std::uint32_t>(word).copy_in());
  for (;;) {
    const std::uint32_t found = TRY(compare_exchange_user(word, old, changed(op, old)));
    if (found == old) {
      return old;
    }
    old = found;
  }
}

}  // namespace

Result<void> futex_wait(const FutexWait& request, Nanoseconds deadline) {
  WaitQueue queue;
  FutexWaiter waiter;
  set_key(waiter, TRY(futex_key(request.word)));
  waiter.bits = request.bits;
  waiter.queue = &queue;
  futex_enqueue(waiter);
  Result<void> result = futex_check(request.word.address, request.expected);
  if (result) {
    result = wait(queue, [&waiter] { return waiter.woken.load(); }, deadline, Interruptible::Yes);
  }
  return futex_leave(waiter) ? Result<void>() : result;
}

Result<std::size_t> futex_wait_any(std::span<const FutexWait> requests, Nanoseconds deadline) {
  std::unique_ptr<FutexWaiter[]> waiters(new (std::nothrow) FutexWaiter[requests.size()]);
  if (waiters == nullptr) {
    return fail(ENOMEM);
  }
  WaitQueue queue;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    set_key(waiters[i], TRY(futex_key(requests[i].word)));
    waiters[i].queue = &queue;
  }
  const auto first_woken = [&] {
    std::size_t i = 0;
    while (i < requests.size() && !waiters[i].woken.load()) {
      ++i;
    }
    return i;
  };
  std::size_t queued = 0;
  Result<void> result;
  for (; queued < requests.size() && result; ++queued) {
    futex_enqueue(waiters[queued]);
    result = futex_check(requests[queued].word.address, requests[queued].expected);
  }
  if (result) {
    result =
        wait(queue, [&] { return first_woken() < requests.size(); }, deadline, Interruptible::Yes);
  }
  for (std::size_t i = 0; i < queued; ++i) {
    (void)futex_leave(waiters[i]);
  }
  const std::size_t woken = first_woken();
  if (woken < requests.size()) {
    return woken;
  }
  return tl::unexpected(result.error());
}

Result<std::uint32_t> futex_wake(FutexWord word, std::int32_t count, std::uint32_t bits) {
  const PinnedFutexKey pinned = TRY(futex_key(word));
  FutexBucket& bucket = futex_bucket(pinned.key);
  const SpinLock::Guard guard(bucket.lock);
  return wake_locked(bucket, pinned.key, count, bits);
}

Result<std::uint32_t> futex_requeue(const FutexRequeue& request) {
  if (request.wake < 0 || request.move < 0) {
    return fail(EINVAL);
  }
  const PinnedFutexKey from = TRY(futex_key(request.from));
  const PinnedFutexKey to = TRY(futex_key(request.to));
  if (request.expected) {
    // The page is touched without a lock first; under the locks the word cannot change unseen.
    TRY(futex_check(request.from.address, *request.expected));
  }
  const FutexPairLock locks(futex_bucket(from.key), futex_bucket(to.key));
  if (request.expected) {
    TRY(futex_check(request.from.address, *request.expected));
  }
  return requeue_locked(request, from.key, to);
}

Result<std::uint32_t> futex_wake_op(const FutexWakeOp& request) {
  const PinnedFutexKey first = TRY(futex_key(request.first));
  const PinnedFutexKey second = TRY(futex_key(request.second));
  const EncodedOp op = TRY(decode(request.operation));
  const std::uint32_t old = TRY(apply(op, request.second.address));
  FutexBucket& first_bucket = futex_bucket(first.key);
  FutexBucket& second_bucket = futex_bucket(second.key);
  const FutexPairLock locks(first_bucket, second_bucket);
  std::uint32_t woken = TRY(wake_locked(first_bucket, first.key, request.wake_first, kAnyBits));
  if (compares(op, static_cast<std::int32_t>(old))) {
    woken += TRY(wake_locked(second_bucket, second.key, request.wake_second, kAnyBits));
  }
  return woken;
}

}  // namespace runhl::kernel
