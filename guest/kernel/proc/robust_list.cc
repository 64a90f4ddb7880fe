// SPDX-License-Identifier: Apache-2.0
#include "proc/robust_list.h"

#include <linux/futex.h>

#include "core/user_memory.h"
#include "proc/task.h"
#include "sched/futex.h"

namespace runhl::kernel {

namespace {

static_assert(sizeof(robust_list_head) == 24);
constexpr std::uint64_t kPiEntry = 1;  // bit 0 of an entry's address

/// An entry as lists hold it: the lock's address, less the list's offset, with the PI bit.
struct RobustEntry {
  UserAddress address = 0;
  bool pi = false;
};

enum class EntryKind : bool { Listed, Pending };

Result<RobustEntry> read_entry(UserAddress from) {
  const auto value = TRY(UserIn<std::uint64_t>(from).copy_in());
  return RobustEntry{value & ~kPiEntry, (value & kPiEntry) != 0};
}

void wake_one_waiter(UserAddress word) {
  (void)futex_wake({word, FutexScope::Shared}, 1, kAnyBits);  // unmapped: nobody waits there
}

/// Fails where the word is not to be had: the rest of the list is not trusted then.
Result<void> release_lock(const Task& task, UserAddress word, bool pi, EntryKind kind) {
  if (word % sizeof(std::uint32_t) != 0) {
    return fail(EINVAL);
  }
  auto value = TRY(UserIn<std::uint32_t>(word).copy_in());
  for (;;) {
    const std::uint32_t owner = value & FUTEX_TID_MASK;
    if (kind == EntryKind::Pending && !pi && owner == 0) {
      // Unlocked, but it may have died before it woke anybody.
      wake_one_waiter(word);
      return {};
    }
    if (owner != static_cast<std::uint32_t>(task.tid)) {
      return {};
    }
    const std::uint32_t fresh = (value & FUTEX_WAITERS) | FUTEX_OWNER_DIED;
    const std::uint32_t found = TRY(compare_exchange_user(word, value, fresh));
    if (found == value) {
      break;
    }
    value = found;
  }
  if (!pi && (value & FUTEX_WAITERS) != 0) {
    wake_one_waiter(word);
  }
  return {};
}

Result<void> walk(const Task& task, UserAddress head) {
  RobustEntry entry = TRY(read_entry(head + offsetof(robust_list_head, list)));
  const auto offset =
      TRY(UserIn<std::uint64_t>(head + offsetof(robust_list_head, futex_offset)).copy_in());
  const RobustEntry pending = TRY(read_entry(head + offsetof(robust_list_head, list_op_pending)));
  for (int left = ROBUST_LIST_LIMIT; entry.address != head && left > 0; --left) {
    // The next one is read first: once released, the entry is somebody else's.
    const Result<RobustEntry> next = read_entry(entry.address);
    if (entry.address != pending.address) {
      TRY(release_lock(task, entry.address + offset, entry.pi, EntryKind::Listed));
    }
    entry = TRY(next);
  }
  if (pending.address != 0) {
    TRY(release_lock(task, pending.address + offset, pending.pi, EntryKind::Pending));
  }
  return {};
}

}  // namespace

void robust_list_release(Task& task) {
  const UserAddress head = task.robust_list;
  task.robust_list = 0;
  if (head != 0) {
    (void)walk(task, head);  // a broken list is its program's own loss
  }
}

}  // namespace runhl::kernel
