// SPDX-License-Identifier: Apache-2.0
#include "sched/futex.h"

#include <array>
#include <atomic>
#include <boost/intrusive/list.hpp>

#include "mm/heap.h"
#include "proc/task.h"
#include "sched/locks.h"

namespace runhl::kernel {

namespace {

struct FutexKey {
  const AddressSpace* mm;
  UserAddress word;
  bool operator==(const FutexKey&) const = default;
};

struct FutexWaiter : boost::intrusive::list_base_hook<> {
  FutexKey key{};
  std::uint32_t bits = 0;
  std::atomic<bool> woken{false};
  WaitQueue queue;
};

using WaiterList = boost::intrusive::list<FutexWaiter, boost::intrusive::constant_time_size<false>>;

struct Bucket {
  SpinLock lock{LockRank::FutexBucket};
  WaiterList waiters;  // guarded by lock, in order of arrival
};

constexpr std::size_t kBuckets = 64;

}  // namespace

/// Made at boot; the buckets have locks of their own.
struct FutexTable {
  std::array<Bucket, kBuckets> buckets;
};

namespace {

constinit FutexTable* g_futexes = nullptr;  // written once, by futex_init

Bucket& bucket_of(const FutexKey& key) {
  const std::uint64_t mixed = (key.word >> 2) * 0x9e37'79b9'7f4a'7c15;
  return g_futexes->buckets[mixed >> 58];
}
static_assert(kBuckets == 1 << (64 - 58));

FutexKey key_of(UserAddress word) {
  return {current().process->mm, word};
}

Result<void> check_word(UserAddress word, std::uint32_t expected) {
  if (TRY(UserIn<std::uint32_t>(word).copy_in()) != expected) {
    return fail(EAGAIN);
  }
  return {};
}

/// Takes the waiter off its bucket, unless a waker has.
void leave(Bucket& bucket, FutexWaiter& waiter) {
  const SpinLock::Guard guard(bucket.lock);
  if (waiter.is_linked()) {
    bucket.waiters.erase(bucket.waiters.iterator_to(waiter));
  }
}

}  // namespace

Result<void> futex_init() {
  g_futexes = TRY(make<FutexTable>()).release();
  return {};
}

Result<void> futex_wait(const FutexWait& request) {
  FutexWaiter waiter;
  waiter.key = key_of(request.word);
  waiter.bits = request.bits;
  Bucket& bucket = bucket_of(waiter.key);
  {
    const SpinLock::Guard guard(bucket.lock);
    bucket.waiters.push_back(waiter);
  }
  // On the list first, the word read second: whoever changes it after our read sees us. (User
  // memory is not touched under a spinlock.)
  Result<void> result = check_word(request.word, request.expected);
  if (result) {
    result = wait(
        waiter.queue, [&waiter] { return waiter.woken.load(); }, request.deadline,
        Interruptible::Yes);
  }
  leave(bucket, waiter);
  return waiter.woken.load() ? Result<void>() : result;
}

std::uint32_t futex_wake(UserAddress word, std::uint32_t count, std::uint32_t bits) {
  const FutexKey key = key_of(word);
  Bucket& bucket = bucket_of(key);
  std::uint32_t woken = 0;
  const SpinLock::Guard guard(bucket.lock);
  for (auto it = bucket.waiters.begin(); it != bucket.waiters.end() && woken < count;) {
    FutexWaiter& waiter = *it;
    if (waiter.key != key || (waiter.bits & bits) == 0) {
      ++it;
      continue;
    }
    it = bucket.waiters.erase(it);
    waiter.woken.store(true);
    wake_all(waiter.queue);  // under the bucket's lock, so that the waiter is still there
    ++woken;
  }
  return woken;
}

}  // namespace runhl::kernel
