// SPDX-License-Identifier: Apache-2.0
// A waiter whose `woken` is set owns the word. Who unlocks writes the new owner's tid itself; the
// word of an owner that died may lie in memory that the dying task does not map there, so its new
// owner writes it, and until then it stands first on the list with `owner_died` set.
#include "sched/futex_pi.h"

#include <linux/futex.h>

#include <utility>

#include "proc/process_table.h"
#include "proc/task.h"
#include "sched/futex_table.h"

namespace runhl::kernel {

namespace {

std::uint32_t tid_of(const Task& task) {
  return static_cast<std::uint32_t>(task.tid);
}

Result<std::uint32_t> read_word(UserAddress address) {
  return UserIn<std::uint32_t>(address).copy_in();
}

FutexWaiter* first_waiter(FutexBucket& bucket, const FutexKey& key) {
  for (FutexWaiter& waiter : bucket.waiters) {
    if (waiter.key == key) {
      return &waiter;
    }
  }
  return nullptr;
}

/// The counts let the end of most tasks skip the search for what they own.
void set_owner(FutexWaiter& waiter, Ref<Task>&& owner) {
  if (waiter.owner != nullptr) {
    waiter.owner->pi_waiters.fetch_sub(1);
  }
  if (owner != nullptr) {
    owner->pi_waiters.fetch_add(1);
  }
  waiter.owner.swap(owner);
}

void set_owner_of_all(FutexBucket& bucket, const FutexKey& key, Task& owner) {
  for (FutexWaiter& waiter : bucket.waiters) {
    if (waiter.key == key && waiter.kind == FutexKind::Pi) {
      set_owner(waiter, Ref<Task>(&owner));
    }
  }
}

enum class Attempt : std::uint8_t { Acquired, MustWait, Again };

/// One try to take the word at `address` for `task`, or to mark it as waited for. The caller holds
/// the lock of `bucket`; `owner` is who the word was seen to name, looked up before.
Result<Attempt> try_acquire(FutexBucket& bucket, const FutexKey& key, UserAddress address,
                            Task& task, Ref<Task>& owner) {
  const std::uint32_t word = TRY(read_word(address));
  const std::uint32_t holder = word & FUTEX_TID_MASK;
  FutexWaiter* const first = first_waiter(bucket, key);
  if (first != nullptr && first->kind != FutexKind::Pi) {
    return fail(EINVAL);
  }
  if (first != nullptr && first->owner_died) {
    owner = Ref<Task>(first->task);  // its word will say so
    return Attempt::MustWait;
  }
  if (holder == tid_of(task)) {
    return fail(EDEADLK);
  }
  if (holder == 0) {
    const std::uint32_t waiters = first != nullptr ? FUTEX_WAITERS : 0;
    const std::uint32_t fresh = (word & FUTEX_OWNER_DIED) | waiters | tid_of(task);
    if (TRY(compare_exchange_user(address, word, fresh)) != word) {
      return Attempt::Again;
    }
    set_owner_of_all(bucket, key, task);
    return Attempt::Acquired;
  }
  if (owner == nullptr || tid_of(*owner) != holder || owner->exited.load()) {
    return Attempt::Again;
  }
  if (first == nullptr && key.scope == FutexScope::Private &&
      owner->process->mm != task.process->mm) {
    // Linux marks the word and then finds that nobody of this memory can own it.
    (void)TRY(compare_exchange_user(address, word, word | FUTEX_WAITERS));
    return fail(EPERM);
  }
  if (first != nullptr && first->owner != owner) {
    return fail(EINVAL);  // the word and the kernel do not agree
  }
  if ((word & FUTEX_WAITERS) == 0 &&
      TRY(compare_exchange_user(address, word, word | FUTEX_WAITERS)) != word) {
    return Attempt::Again;
  }
  return Attempt::MustWait;
}

/// Who the word names; null: nobody. ESRCH: a tid that no task has, and has not changed meanwhile.
Result<Ref<Task>> look_up_owner(UserAddress address) {
  const std::uint32_t word = TRY(read_word(address));
  const std::uint32_t holder = word & FUTEX_TID_MASK;
  if (holder == 0) {
    return Ref<Task>();
  }
  Ref<Task> owner = find_task(static_cast<std::int32_t>(holder));
  if ((owner == nullptr || owner->exited.load()) && TRY(read_word(address)) == word) {
    return fail(ESRCH);
  }
  return owner;
}

/// The caller owns a word by its owner's death and says so in it.
Result<void> claim_after_death(UserAddress address, FutexWaiter& waiter) {
  std::uint32_t word = TRY(read_word(address));
  for (;;) {
    // Whether others wait is not looked at: a set bit costs them one system call at the unlock.
    const std::uint32_t fresh = tid_of(*waiter.task) | FUTEX_WAITERS | FUTEX_OWNER_DIED;
    const std::uint32_t found = TRY(compare_exchange_user(address, word, fresh));
    if (found == word) {
      return {};
    }
    word = found;
  }
}

/// After the sleep of a Pi waiter: off the list. True: it owns the word at `address`.
Result<bool> finish_pi_wait(FutexWaiter& waiter, UserAddress address) {
  bool claimed = false;
  Result<void> result;
  Ref<Task> dropped;  // not under the lock
  for (;;) {
    if (waiter.woken.load() && waiter.owner_died && !claimed) {
      result = claim_after_death(address, waiter);  // before it leaves the list: see above
      claimed = true;
    }
    const FutexWaiterLock bucket(waiter);
    if (waiter.woken.load() && waiter.owner_died && !claimed) {
      continue;
    }
    if (waiter.is_linked()) {
      bucket->waiters.erase(bucket->waiters.iterator_to(waiter));
    }
    if (waiter.owner != nullptr) {
      waiter.owner->pi_waiters.fetch_sub(1);
      waiter.owner.swap(dropped);
    }
    break;
  }
  if (!result) {
    return tl::unexpected(result.error());
  }
  return waiter.woken.load();
}

/// `waiter` is the owner from now on. The caller holds the lock and has written the word.
void hand_over(FutexBucket& bucket, FutexWaiter& waiter) {
  const FutexKey key = waiter.key;
  Task& task = *waiter.task;
  futex_wake_waiter(bucket, waiter);
  set_owner_of_all(bucket, key, task);
}

Result<void> wait_for_ownership(FutexWaiter& waiter, UserAddress address, Nanoseconds deadline) {
  const Result<void> slept =
      wait(*waiter.queue, [&waiter] { return waiter.woken.load(); }, deadline, Interruptible::Yes);
  if (TRY(finish_pi_wait(waiter, address))) {
    return {};
  }
  return slept;
}

/// A dying owner's waiters of one word: the first becomes the owner.
void release_word(FutexBucket& bucket, FutexWaiter& first) {
  const FutexKey key = first.key;
  first.owner_died = true;
  for (FutexWaiter& waiter : bucket.waiters) {
    if (&waiter != &first && waiter.key == key && waiter.kind == FutexKind::Pi) {
      set_owner(waiter, Ref<Task>(first.task));
    }
  }
  set_owner(first, nullptr);
  first.woken.store(true);
  wake_all(*first.queue);
}

}  // namespace

Result<void> futex_lock_pi(FutexWord word, Nanoseconds deadline, FutexLockMode mode) {
  const PinnedFutexKey pinned = TRY(futex_key(word));
  FutexBucket& bucket = futex_bucket(pinned.key);
  WaitQueue queue;
  FutexWaiter waiter;
  waiter.key = pinned.key;
  waiter.kind = FutexKind::Pi;
  waiter.queue = &queue;
  waiter.task = &current();
  for (;;) {
    Ref<Task> owner = TRY(look_up_owner(word.address));
    const SpinLock::Guard guard(bucket.lock);
    const Attempt attempt = TRY(try_acquire(bucket, pinned.key, word.address, *waiter.task, owner));
    if (attempt == Attempt::Acquired) {
      return {};
    }
    if (attempt == Attempt::Again) {
      continue;
    }
    if (mode == FutexLockMode::Try) {
      return fail(EAGAIN);
    }
    set_owner(waiter, std::move(owner));
    waiter.bucket.store(&bucket);
    bucket.waiters.push_back(waiter);
    break;
  }
  return wait_for_ownership(waiter, word.address, deadline);
}

Result<void> futex_unlock_pi(FutexWord word) {
  const PinnedFutexKey pinned = TRY(futex_key(word));
  FutexBucket& bucket = futex_bucket(pinned.key);
  const Task& task = current();
  for (;;) {
    const std::uint32_t value = TRY(read_word(word.address));
    if ((value & FUTEX_TID_MASK) != tid_of(task)) {
      return fail(EPERM);
    }
    const SpinLock::Guard guard(bucket.lock);
    FutexWaiter* const first = first_waiter(bucket, pinned.key);
    if (first != nullptr && (first->kind != FutexKind::Pi || first->owner.get() != &task)) {
      return fail(EINVAL);
    }
    const std::uint32_t fresh = first == nullptr ? 0 : FUTEX_WAITERS | tid_of(*first->task);
    if (TRY(compare_exchange_user(word.address, value, fresh)) != value) {
      continue;
    }
    if (first != nullptr) {
      hand_over(bucket, *first);
    }
    return {};
  }
}

Result<void> futex_wait_requeue_pi(const FutexWaitRequeuePi& request, Nanoseconds deadline) {
  PinnedFutexKey plain = TRY(futex_key(request.wait.word));
  PinnedFutexKey target = TRY(futex_key(request.target));
  if (plain.key == target.key) {
    return fail(EINVAL);
  }
  WaitQueue queue;
  FutexWaiter waiter;
  waiter.key = plain.key;
  waiter.pin = std::move(plain.pin);
  waiter.moved_pin = std::move(target.pin);
  waiter.bits = request.wait.bits;
  waiter.kind = FutexKind::RequeuePi;
  waiter.target = target.key;
  waiter.queue = &queue;
  waiter.task = &current();
  futex_enqueue(waiter);
  Result<void> result = futex_check(request.wait.word.address, request.wait.expected);
  if (!result) {
    return futex_leave(waiter) ? Result<void>() : result;
  }
  result = wait_for_ownership(waiter, request.target.address, deadline);
  if (!result && to_int(result.error()) == EINTR && waiter.kind == FutexKind::Pi) {
    return fail(EAGAIN);  // it cannot begin again: it waits for another word by now
  }
  return result;
}

namespace {

/// What futex_requeue_pi finds out about its target without locks.
struct PiTarget {
  const PinnedFutexKey& from;
  const PinnedFutexKey& to;
  UserAddress word;
  Ref<Task> owner;
};

/// The rest of the waiters behind the target's owner.
Result<std::uint32_t> move_to_pi(const PiTarget& target, std::int32_t woken, std::int32_t move) {
  FutexBucket& source = futex_bucket(target.from.key);
  FutexBucket& destination = futex_bucket(target.to.key);
  std::int32_t done = woken;
  for (auto it = source.waiters.begin(); it != source.waiters.end();) {
    FutexWaiter& waiter = *it++;
    if (done - 1 >= move) {
      break;
    }
    if (waiter.key != target.from.key) {
      continue;
    }
    if (waiter.kind != FutexKind::RequeuePi || waiter.target != target.to.key) {
      return fail(EINVAL);
    }
    waiter.kind = FutexKind::Pi;
    (void)futex_move(waiter, source, destination, {target.to.key, nullptr});  // pinned already
    set_owner(waiter, Ref<Task>(target.owner));
    ++done;
  }
  return static_cast<std::uint32_t>(done);
}

/// Under both locks: the first waiter takes the word if it can. `Again`: look the owner up again.
Result<Attempt> acquire_for_first(PiTarget& target, FutexWaiter& first) {
  if (first.kind != FutexKind::RequeuePi || first.target != target.to.key) {
    return fail(EINVAL);
  }
  FutexBucket& destination = futex_bucket(target.to.key);
  const Attempt attempt =
      TRY(try_acquire(destination, target.to.key, target.word, *first.task, target.owner));
  if (attempt != Attempt::Acquired) {
    return attempt;
  }
  target.owner = Ref<Task>(first.task);
  // Others may come behind it; the bit makes its unlock look.
  const std::uint32_t word = TRY(read_word(target.word));
  (void)TRY(compare_exchange_user(target.word, word, word | FUTEX_WAITERS));
  futex_wake_waiter(futex_bucket(target.from.key), first);
  return attempt;
}

}  // namespace

Result<std::uint32_t> futex_requeue_pi(const FutexRequeue& request) {
  if (request.wake != 1 || request.move < 0) {
    return fail(EINVAL);
  }
  const PinnedFutexKey from = TRY(futex_key(request.from));
  const PinnedFutexKey to = TRY(futex_key(request.to));
  if (from.key == to.key) {
    return fail(EINVAL);
  }
  PiTarget target{from, to, request.to.address, nullptr};
  for (;;) {
    TRY(futex_check(request.from.address, *request.expected));
    target.owner = TRY(look_up_owner(target.word));
    const FutexPairLock locks(futex_bucket(from.key), futex_bucket(to.key));
    TRY(futex_check(request.from.address, *request.expected));
    FutexWaiter* const first = first_waiter(futex_bucket(from.key), from.key);
    if (first == nullptr) {
      return 0U;
    }
    const Attempt attempt = TRY(acquire_for_first(target, *first));
    if (attempt != Attempt::Again) {
      return move_to_pi(target, attempt == Attempt::Acquired ? 1 : 0, request.move);
    }
  }
}

void futex_release_owned(Task& task) {
  if (task.pi_waiters.load() == 0) {
    return;
  }
  for (FutexBucket& bucket : futex_buckets()) {
    const SpinLock::Guard guard(bucket.lock);
    for (FutexWaiter& waiter : bucket.waiters) {
      if (waiter.kind == FutexKind::Pi && waiter.owner.get() == &task) {
        release_word(bucket, waiter);  // changes owners, not the list
      }
    }
  }
}

}  // namespace runhl::kernel
