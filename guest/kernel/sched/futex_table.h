// SPDX-License-Identifier: Apache-2.0
// The lists of futex waiters, for futex.cc and futex_pi.cc alone.
#pragma once

#include <array>
#include <atomic>
#include <boost/intrusive/list.hpp>

#include "mm/map_object.h"
#include "mm/ref.h"
#include "proc/task.h"
#include "sched/futex.h"
#include "sched/locks.h"

namespace runhl::kernel {

/// What makes two words the same futex.
struct FutexKey {
  const void* space = nullptr;  // AddressSpace, or the identity of a shared object
  std::uint64_t offset = 0;     // address, or offset in the object
  FutexScope scope = FutexScope::Private;
  bool operator==(const FutexKey&) const = default;
};

/// With what keeps `space` from naming another object. A pin is never dropped under a spinlock.
struct PinnedFutexKey {
  FutexKey key;
  Ref<MapObject> pin;
};

/// EINVAL, EFAULT. Takes the mm lock for a shared word.
Result<PinnedFutexKey> futex_key(FutexWord word);

struct FutexBucket;

enum class FutexKind : std::uint8_t {
  Plain,
  Pi,         // waits to own the word
  RequeuePi,  // waits plainly, to be moved to `target` as Pi
};

/// On the sleeping task's stack, but for futex_wait_any's. The list, `key` and `kind` are guarded
/// by the bucket's lock.
struct FutexWaiter : boost::intrusive::list_base_hook<> {
  FutexKey key{};
  Ref<MapObject> pin, moved_pin;  // of the first key, of the one that it was moved to
  std::uint32_t bits = kAnyBits;
  FutexKind kind = FutexKind::Plain;
  std::atomic<FutexBucket*> bucket{nullptr};
  WaitQueue* queue = nullptr;
  std::atomic<bool> woken{false};  // taken off the list by a waker; Pi: owns the word
  // Pi and RequeuePi:
  Task* task = nullptr;
  FutexKey target{};
  Ref<Task> owner;          // of the word waited for
  bool owner_died = false;  // the word became its own by its owner's death
};

struct FutexBucket {
  SpinLock lock{LockRank::FutexBucket};
  using Waiters = boost::intrusive::list<FutexWaiter, boost::intrusive::constant_time_size<false>>;
  Waiters waiters;  // in order of arrival
};

inline constexpr std::size_t kFutexBuckets = 64;
std::array<FutexBucket, kFutexBuckets>& futex_buckets();
FutexBucket& futex_bucket(const FutexKey& key);

/// The bucket a waiter is in, which a requeue may change, locked.
class FutexWaiterLock {
 public:
  explicit FutexWaiterLock(FutexWaiter& waiter);
  FutexWaiterLock(const FutexWaiterLock&) = delete;
  FutexWaiterLock& operator=(const FutexWaiterLock&) = delete;
  ~FutexWaiterLock() = default;
  FutexBucket* operator->() const { return bucket_; }

 private:
  FutexBucket* bucket_ = nullptr;
  std::optional<SpinLock::Guard> guard_;
};

/// Two buckets in the order of their addresses; they may be one.
class FutexPairLock {
 public:
  FutexPairLock(FutexBucket& a, FutexBucket& b);

 private:
  SpinLock::Guard first_;
  std::optional<SpinLock::Guard> second_;
};

void futex_enqueue(FutexWaiter& waiter);
/// Off its list, unless a waker took it off. True: a waker did.
bool futex_leave(FutexWaiter& waiter);
/// Takes it off its list and wakes its task. The caller holds the bucket's lock, so that the waiter
/// is still there.
void futex_wake_waiter(FutexBucket& bucket, FutexWaiter& waiter);
/// To the list of another word; the caller holds both locks. False: it would need a third pin.
bool futex_move(FutexWaiter& waiter, FutexBucket& from, FutexBucket& to,
                const PinnedFutexKey& target);
/// EAGAIN unless the word is `expected`.
Result<void> futex_check(UserAddress word, std::uint32_t expected);

}  // namespace runhl::kernel
