// SPDX-License-Identifier: Apache-2.0
#include "fs/file_locks.h"

#include <algorithm>
#include <atomic>
#include <new>
#include <utility>

#include "mm/heap.h"
#include "sched/wait.h"

namespace runhl::kernel {
namespace {

constexpr Nanoseconds kFirstPause = 1'000'000, kLongestPause = 20'000'000;

struct HeldLock : boost::intrusive::list_base_hook<> {
  LockOwner owner;
  LockRange range;
  LockType type = LockType::None;
};

struct LockedInode : boost::intrusive::list_base_hook<> {
  LockKey key;
  boost::intrusive::list<HeldLock> locks;
  // The descriptors that carry the locks on the host.
  Ref<Node> shared_carrier, exclusive_carrier, flock_carrier;
};

struct BlockedOwner : boost::intrusive::list_base_hook<> {
  LockOwner owner, waits_for;
};

/// Whatever follows an unlock looks again: locks are few.
struct LockTable {
  Mutex lock{LockRank::FileLocks};
  WaitQueue released;
  std::atomic<std::uint32_t> releases{0};
  boost::intrusive::list<LockedInode> inodes;
  boost::intrusive::list<BlockedOwner> blocked;
  std::atomic<std::uint32_t> held{0};  // nobody pays who does not lock
};

// Zero until the first lock, then one object for good.
alignas(LockTable) std::byte table_memory[sizeof(LockTable)];
std::atomic<LockTable*> g_locks{nullptr};

LockTable& locks() {
  LockTable* made = g_locks.load(std::memory_order_acquire);
  if (made == nullptr) {
    made = new (table_memory) LockTable;
    g_locks.store(made, std::memory_order_release);
  }
  return *made;
}

bool any_held() {
  const LockTable* const made = g_locks.load(std::memory_order_acquire);
  return made != nullptr && made->held.load(std::memory_order_relaxed) != 0;
}

bool same_space(FileLockKind a, FileLockKind b) {
  return (a == FileLockKind::Flock) == (b == FileLockKind::Flock);
}

bool conflicts(const HeldLock& held, const LockRequest& wanted) {
  return same_space(held.owner.kind, wanted.owner.kind) && !(held.owner == wanted.owner) &&
         held.range.overlaps(wanted.range) &&
         (held.type == LockType::Exclusive || wanted.type == LockType::Exclusive);
}

const HeldLock* conflict_of(const LockedInode& inode, const LockRequest& wanted) {
  if (wanted.type == LockType::None) {
    return nullptr;
  }
  for (const HeldLock& held : inode.locks) {
    if (conflicts(held, wanted)) {
      return &held;
    }
  }
  return nullptr;
}

LockedInode* find_inode(const LockKey& key) {
  for (LockedInode& inode : locks().inodes) {
    if (inode.key == key) {
      return &inode;
    }
  }
  return nullptr;
}

Result<LockedInode*> find_or_make_inode(const LockKey& key) {
  if (LockedInode* const inode = find_inode(key)) {
    return inode;
  }
  auto* const inode = new (std::nothrow) LockedInode;
  if (inode == nullptr) {
    return fail(ENOMEM);
  }
  inode->key = key;
  locks().inodes.push_back(*inode);
  return inode;
}

/// `dead` receives the carriers: closing them is a host call, made without the lock.
struct Carriers {
  Ref<Node> shared, exclusive, flock;
};

void drop_if_unused(LockedInode& inode, Carriers& dead) {
  if (!inode.locks.empty()) {
    return;
  }
  dead.shared = std::move(inode.shared_carrier);
  dead.exclusive = std::move(inode.exclusive_carrier);
  dead.flock = std::move(inode.flock_carrier);
  locks().inodes.erase_and_dispose(locks().inodes.iterator_to(inode),
                                   [](LockedInode* each) { delete each; });
}

// ---- deadlock ----------------------------------------------------------------------------------

/// Linux looks at POSIX locks alone: an open file waits for nobody.
bool would_deadlock(const LockOwner& waiter, const LockOwner& holder) {
  constexpr int kMaxChain = 10;  // Linux MAX_DEADLK_ITERATIONS
  LockOwner at = holder;
  for (int i = 0; i < kMaxChain; ++i) {
    if (at == waiter) {
      return true;
    }
    const auto next = std::find_if(locks().blocked.begin(), locks().blocked.end(),
                                   [&at](const BlockedOwner& each) { return each.owner == at; });
    if (next == locks().blocked.end()) {
      return false;
    }
    at = next->waits_for;
  }
  return false;
}

// ---- the host ----------------------------------------------------------------------------------

/// The strongest lock that others than `but` hold at `at`, and up to where that is so.
LockType others_at(const LockedInode& inode, const LockRequest& but, std::uint64_t at,
                   std::uint64_t& until) {
  LockType type = LockType::None;
  for (const HeldLock& held : inode.locks) {
    if (held.owner == but.owner || !same_space(held.owner.kind, but.owner.kind)) {
      continue;
    }
    if (held.range.start > at) {
      until = std::min(until, held.range.start - 1);
    } else if (held.range.end >= at) {
      until = std::min(until, held.range.end);
      type = std::max(type, held.type);
    }
  }
  return type;
}

HostLock to_host(const LockRequest& request) {
  return {.whole_file = request.owner.kind == FileLockKind::Flock,
          .type = static_cast<std::uint8_t>(request.type),
          .start = request.range.start,
          .end = request.range.end};
}

/// The descriptor for locks of this type: one that is used already, else `file`'s.
Ref<Node>& carrier_of(LockedInode& inode, const LockRequest& request, File& file) {
  if (request.owner.kind == FileLockKind::Flock) {
    if (inode.flock_carrier == nullptr) {
      inode.flock_carrier = file.node();
    }
    return inode.flock_carrier;
  }
  Ref<Node>& wanted =
      request.type == LockType::Exclusive ? inode.exclusive_carrier : inode.shared_carrier;
  if (wanted == nullptr) {
    Ref<Node>& other =
        request.type == LockType::Exclusive ? inode.shared_carrier : inode.exclusive_carrier;
    wanted = file.node();
    if (other == nullptr && file.readable() && file.writable()) {
      other = wanted;
    }
  }
  return wanted;
}

/// What the host holds of the range sinks to what others than the requester hold.
void lower_on_host(LockedInode& inode, const LockRequest& request) {
  for (std::uint64_t at = request.range.start; at <= request.range.end;) {
    std::uint64_t until = request.range.end;
    const LockType rest = others_at(inode, request, at, until);
    if (rest == LockType::None) {
      LockRequest nothing = request;
      nothing.type = LockType::None;
      nothing.range = {.start = at, .end = until};
      for (const Ref<Node>& carrier :
           {request.owner.kind == FileLockKind::Flock ? inode.flock_carrier : inode.shared_carrier,
            request.owner.kind == FileLockKind::Flock ? Ref<Node>() : inode.exclusive_carrier}) {
        if (carrier != nullptr) {
          (void)carrier->lock_on_host(to_host(nothing));  // unlocking cannot be refused
        }
      }
    }
    if (until == LockRange::kEnd) {
      return;
    }
    at = until + 1;
  }
}

Result<void> raise_on_host(LockedInode& inode, const LockRequest& request, File& file) {
  LockRequest wanted = request;
  if (request.owner.kind == FileLockKind::Flock) {  // others share it: then so does the host
    std::uint64_t until = LockRange::kEnd;
    wanted.type = std::max(wanted.type, others_at(inode, request, 0, until));
  }
  const bool two = inode.shared_carrier != nullptr && inode.exclusive_carrier != nullptr &&
                   inode.shared_carrier != inode.exclusive_carrier;
  if (two) {
    lower_on_host(inode, request);  // else our own other descriptor is in the way
  }
  const Ref<Node>& carrier = carrier_of(inode, wanted, file);
  return carrier == nullptr ? Result<void>{} : carrier->lock_on_host(to_host(wanted));
}

/// The host refused: what the owner held before is still its.
void restore_on_host(LockedInode& inode, const LockRequest& request, File& file) {
  for (const HeldLock& held : inode.locks) {
    if (held.owner == request.owner && held.range.overlaps(request.range)) {
      const LockRequest again{.owner = held.owner, .range = held.range, .type = held.type};
      const Ref<Node>& carrier = carrier_of(inode, again, file);
      if (carrier != nullptr) {
        (void)carrier->lock_on_host(to_host(again));
      }
    }
  }
}

// ---- the guest's own list ----------------------------------------------------------------------

/// Takes `range` out of the owner's locks: they shrink, split or go. `spare` serves one split.
void cut_out(LockedInode& inode, const LockOwner& owner, const LockRange& range,
             Owned<HeldLock>& spare) {
  for (auto at = inode.locks.begin(); at != inode.locks.end();) {
    HeldLock& held = *at++;
    if (!(held.owner == owner) || !held.range.overlaps(range)) {
      continue;
    }
    const bool before = held.range.start < range.start;
    const bool behind = held.range.end > range.end;
    if (before && behind) {
      spare->owner = owner;
      spare->type = held.type;
      spare->range = {.start = range.end + 1, .end = held.range.end};
      held.range.end = range.start - 1;
      inode.locks.push_back(*spare.release());
      locks().held.fetch_add(1, std::memory_order_relaxed);
      return;  // no other lock of this owner can reach into the range
    }
    if (before) {
      held.range.end = range.start - 1;
    } else if (behind) {
      held.range.start = range.end + 1;
    } else {
      inode.locks.erase_and_dispose(inode.locks.iterator_to(held),
                                    [](HeldLock* each) { delete each; });
      locks().held.fetch_sub(1, std::memory_order_relaxed);
    }
  }
}

void add(LockedInode& inode, const LockRequest& request, Owned<HeldLock> fresh) {
  fresh->owner = request.owner;
  fresh->range = request.range;
  fresh->type = request.type;
  inode.locks.push_back(*fresh.release());
  locks().held.fetch_add(1, std::memory_order_relaxed);
}

struct Attempt {
  bool granted = false;
  bool by_guest = false;  // a process of ours is in the way, not the host
  LockOwner holder{};
};

Result<Attempt> try_lock(File& file, const LockKey& key, const LockRequest& request,
                         Carriers& dead) {
  Owned<HeldLock> fresh = TRY(make<HeldLock>());
  Owned<HeldLock> spare = TRY(make<HeldLock>());
  const Mutex::Guard guard(locks().lock);
  LockedInode& inode = *TRY(find_or_make_inode(key));
  if (const HeldLock* const held = conflict_of(inode, request)) {
    return Attempt{.granted = false, .by_guest = true, .holder = held->owner};
  }
  if (request.type == LockType::None) {
    cut_out(inode, request.owner, request.range, spare);
    lower_on_host(inode, request);
    drop_if_unused(inode, dead);
    return Attempt{.granted = true};
  }
  const Result<void> raised = raise_on_host(inode, request, file);
  if (!raised) {
    restore_on_host(inode, request, file);
    drop_if_unused(inode, dead);
    const int error = to_int(raised.error());
    if (error == EAGAIN || error == EACCES) {
      return Attempt{};
    }
    return tl::unexpected(raised.error());
  }
  cut_out(inode, request.owner, request.range, spare);
  add(inode, request, std::move(fresh));
  return Attempt{.granted = true};
}

void tell_release() {
  locks().releases.fetch_add(1);
  wake_all(locks().released);
}

/// Waits for an unlock of ours after the `seen` ones, or until it is time to ask the host again.
Result<void> wait_for_release(const LockRequest& request, const Attempt& attempt,
                              std::uint32_t seen, Nanoseconds pause) {
  BlockedOwner self;
  self.owner = request.owner;
  self.waits_for = attempt.holder;
  const bool listed = attempt.by_guest && request.owner.kind == FileLockKind::Posix;
  if (listed) {
    const Mutex::Guard guard(locks().lock);
    if (attempt.holder.kind == FileLockKind::Posix &&
        would_deadlock(request.owner, attempt.holder)) {
      return fail(EDEADLK);
    }
    locks().blocked.push_back(self);
  }
  const Result<void> waited = wait(
      locks().released, [seen] { return locks().releases.load() != seen; }, monotonic_now() + pause,
      Interruptible::Yes);
  if (listed) {
    const Mutex::Guard guard(locks().lock);
    locks().blocked.erase(locks().blocked.iterator_to(self));
  }
  if (!waited && to_int(waited.error()) == EINTR) {
    return waited;
  }
  return {};
}

Result<LockKey> key_of(File& file) {
  const Ref<Node> node = file.node();
  if (node == nullptr) {
    return LockKey{.filesystem = &file};  // pipes and sockets: among those who share it
  }
  return node->lock_key();
}

}  // namespace

Result<void> lock_file(File& file, const LockRequest& request, LockWait wait) {
  const LockKey key = TRY(key_of(file));
  Nanoseconds pause = kFirstPause;
  for (;;) {
    Carriers dead;
    const std::uint32_t seen = locks().releases.load();
    const Attempt attempt = TRY(try_lock(file, key, request, dead));
    if (attempt.granted) {
      tell_release();
      return {};
    }
    if (wait == LockWait::No) {
      return fail(EAGAIN);
    }
    TRY(wait_for_release(request, attempt, seen, pause));
    pause = std::min(pause * 2, kLongestPause);
  }
}

Result<LockRequest> find_own_lock(File& file, const LockRequest& request) {
  const LockKey key = TRY(key_of(file));
  const Mutex::Guard guard(locks().lock);
  LockedInode* const inode = find_inode(key);
  if (inode == nullptr) {
    return LockRequest{};
  }
  for (const HeldLock& held : inode->locks) {
    if (held.owner == request.owner && held.range.overlaps(request.range)) {
      return LockRequest{.owner = held.owner, .range = held.range, .type = held.type};
    }
  }
  return LockRequest{};
}

Result<LockRequest> find_conflict(File& file, const LockRequest& request) {
  const LockKey key = TRY(key_of(file));
  {
    const Mutex::Guard guard(locks().lock);
    LockedInode* const inode = find_inode(key);
    if (const HeldLock* const held = inode == nullptr ? nullptr : conflict_of(*inode, request)) {
      return LockRequest{.owner = held->owner, .range = held->range, .type = held->type};
    }
    if (inode != nullptr && inode->shared_carrier != nullptr) {
      // Our own locks are no news: the descriptor that carries them does not see them.
      const HostLock foreign = TRY(inode->shared_carrier->test_on_host(to_host(request)));
      return LockRequest{.owner = {},
                         .range = {.start = foreign.start, .end = foreign.end},
                         .type = static_cast<LockType>(foreign.type)};
    }
  }
  const Ref<Node> node = file.node();
  if (node == nullptr) {
    return LockRequest{};
  }
  const HostLock foreign = TRY(node->test_on_host(to_host(request)));
  return LockRequest{.owner = {},
                     .range = {.start = foreign.start, .end = foreign.end},
                     .type = static_cast<LockType>(foreign.type)};
}

void release_posix_locks(const FdTable& table, File& file) {
  if (!any_held()) {
    return;
  }
  const LockRequest all{.owner = {.kind = FileLockKind::Posix, .id = &table}};
  const Result<LockKey> key = key_of(file);
  if (!key) {
    return;
  }
  bool holds = false;
  {
    const Mutex::Guard guard(locks().lock);
    const LockedInode* const inode = find_inode(*key);
    holds = inode != nullptr &&
            std::any_of(inode->locks.begin(), inode->locks.end(),
                        [&all](const HeldLock& held) { return held.owner == all.owner; });
  }
  if (holds) {
    (void)lock_file(file, all, LockWait::No);  // giving up is never refused
  }
}

void release_open_locks(const File& file) {
  if (!any_held()) {
    return;
  }
  Carriers dead;
  {
    const Mutex::Guard guard(locks().lock);
    for (auto at = locks().inodes.begin(); at != locks().inodes.end();) {
      LockedInode& inode = *at++;
      for (const FileLockKind kind : {FileLockKind::Open, FileLockKind::Flock}) {
        const LockRequest all{.owner = {.kind = kind, .id = &file}};
        Owned<HeldLock> none;  // the whole range is cut: nothing splits
        const std::size_t before = inode.locks.size();
        cut_out(inode, all.owner, all.range, none);
        if (inode.locks.size() != before) {
          lower_on_host(inode, all);
        }
      }
      if (inode.locks.empty()) {
        drop_if_unused(inode, dead);
        break;  // an open file is of one inode
      }
    }
  }
  tell_release();
}

}  // namespace runhl::kernel
