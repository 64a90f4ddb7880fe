// SPDX-License-Identifier: Apache-2.0
#include "sched/futex_table.h"

#include "mm/heap.h"
#include "mm/user_map.h"
#include "proc/task.h"
#include "runhl/abi/layout.h"

namespace runhl::kernel {

namespace {

using Buckets = std::array<FutexBucket, kFutexBuckets>;
constinit Buckets* g_futexes = nullptr;  // written once, by futex_init

FutexBucket& lower(FutexBucket& a, FutexBucket& b) {
  return &a < &b ? a : b;
}

}  // namespace

Result<void> futex_init() {
  g_futexes = TRY(make<Buckets>()).release();
  return {};
}

Buckets& futex_buckets() {
  return *g_futexes;
}

FutexBucket& futex_bucket(const FutexKey& key) {
  static_assert(kFutexBuckets == 1 << (64 - 58));
  const std::uint64_t words = (reinterpret_cast<std::uint64_t>(key.space) >> 4) ^ key.offset >> 2;
  return (*g_futexes)[words * 0x9e37'79b9'7f4a'7c15 >> 58];
}

Result<PinnedFutexKey> futex_key(FutexWord word) {
  if (word.address % sizeof(std::uint32_t) != 0) {
    return fail(EINVAL);
  }
  if (word.address >= abi::kUserEnd) {
    return fail(EFAULT);
  }
  PinnedFutexKey pinned{{current().process->mm, word.address, word.scope}, nullptr};
  if (word.scope == FutexScope::Private) {
    return pinned;
  }
  Result<SharedPlace> place = find_shared_place(word.address);
  if (!place) {
    return fail(EFAULT);
  }
  if (place->object != nullptr) {
    pinned.key.space = place->object->identity();
    pinned.key.offset = place->offset;
    pinned.pin = std::move(place->object);
  }
  return pinned;
}

FutexWaiterLock::FutexWaiterLock(FutexWaiter& waiter) {
  for (;;) {
    bucket_ = waiter.bucket.load();
    guard_.emplace(bucket_->lock);
    if (waiter.bucket.load() == bucket_) {
      return;
    }
    guard_.reset();
  }
}

FutexPairLock::FutexPairLock(FutexBucket& a, FutexBucket& b) : first_(lower(a, b).lock) {
  if (&a != &b) {
    second_.emplace((&lower(a, b) == &a ? b : a).lock);
  }
}

void futex_enqueue(FutexWaiter& waiter) {
  FutexBucket& bucket = futex_bucket(waiter.key);
  const SpinLock::Guard guard(bucket.lock);
  waiter.bucket.store(&bucket);
  bucket.waiters.push_back(waiter);
}

bool futex_leave(FutexWaiter& waiter) {
  const FutexWaiterLock bucket(waiter);
  if (waiter.is_linked()) {
    bucket->waiters.erase(bucket->waiters.iterator_to(waiter));
  }
  return waiter.woken.load();
}

void futex_wake_waiter(FutexBucket& bucket, FutexWaiter& waiter) {
  bucket.waiters.erase(bucket.waiters.iterator_to(waiter));
  waiter.woken.store(true);
  wake_all(*waiter.queue);
}

bool futex_move(FutexWaiter& waiter, FutexBucket& from, FutexBucket& to,
                const PinnedFutexKey& target) {
  if (target.pin != nullptr) {
    if (waiter.moved_pin != nullptr) {
      return false;
    }
    waiter.moved_pin = target.pin;
  }
  from.waiters.erase(from.waiters.iterator_to(waiter));
  to.waiters.push_back(waiter);
  waiter.key = target.key;
  waiter.bucket.store(&to);
  return true;
}

Result<void> futex_check(UserAddress word, std::uint32_t expected) {
  if (TRY(UserIn<std::uint32_t>(word).copy_in()) != expected) {
    return fail(EAGAIN);
  }
  return {};
}

}  // namespace runhl::kernel
