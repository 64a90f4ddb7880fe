// SPDX-License-Identifier: Apache-2.0
// madvise(2), msync(2), memory locks.
#include <sys/mman.h>

#include <algorithm>

#include "mm/address_space.h"
#include "mm/aspace.h"
#include "sched/long_work.h"

namespace runhl::kernel {
namespace {

/// Advices that Linux takes (without KSM, memory failure injection or guard regions).
bool is_known(int advice) {
  switch (advice) {
    case MADV_NORMAL:
    case MADV_RANDOM:
    case MADV_SEQUENTIAL:
    case MADV_WILLNEED:
    case MADV_DONTNEED:
    case MADV_FREE:
    case MADV_REMOVE:
    case MADV_DONTFORK:
    case MADV_DOFORK:
    case MADV_HUGEPAGE:
    case MADV_NOHUGEPAGE:
    case MADV_DONTDUMP:
    case MADV_DODUMP:
    case MADV_WIPEONFORK:
    case MADV_KEEPONFORK:
    case MADV_COLD:
    case MADV_PAGEOUT:
    case MADV_POPULATE_READ:
    case MADV_POPULATE_WRITE:
      return true;
    default:
      return false;
  }
}

bool is_private_anonymous(const Vma& vma) {
  return !vma.shared && vma.object == nullptr;
}

Result<void> remove_range(const Vma& vma, UserAddress start, UserAddress end) {
  if (vma.locked || vma.object == nullptr) {
    return fail(EINVAL);
  }
  if (!vma.shared || (vma.max_protection & PROT_WRITE) == 0) {
    return fail(EACCES);
  }
  return vma.object->remove_range(vma.offset + (start - vma.start), end - start);
}

Result<void> populate_one(const Vma& vma, UserAddress start, UserAddress end, int advice) {
  const std::uint32_t wanted = advice == MADV_POPULATE_WRITE ? PROT_WRITE : PROT_READ;
  if ((vma.protection & wanted) == 0 && (wanted == PROT_WRITE || vma.protection == PROT_NONE)) {
    return fail(EINVAL);
  }
  return aspace::advise(start, end - start, advice);
}

}  // namespace

/// Calls act(from, to) for the mapped parts of the range, each within one mapping and under the
/// lock, which is free in between: others run then, and may change the map. ENOMEM after all of
/// them when there was a hole, EINTR: the process is being killed.
template <typename F>
Result<void> AddressSpace::in_turns(UserAddress start, UserAddress end, F&& act) {
  constexpr std::uint64_t kPart = 2 * kMiB;  // a huge page
  bool hole = false;
  while (start < end) {
    {
      const Mutex::Guard guard(lock_);
      const auto at = tree_.first_ending_above(start);
      const UserAddress next = at == tree_.end() ? end : std::clamp(at->start, start, end);
      hole |= next > start;
      start = next;
      if (start < end) {
        const UserAddress reach = std::min({at->end, end, align_down(start, kPart) + kPart});
        TRY(act(start, reach));
        start = reach;
      }
    }
    TRY(take_breath(Interruptible::Killable));
  }
  return hole ? fail(ENOMEM) : Result<void>{};
}

Result<void> AddressSpace::discard_one(Vma& vma, UserAddress start, UserAddress end) {
  if (vma.locked) {
    return fail(EINVAL);
  }
  if (vma.shared) {
    return {};  // shared memory keeps its bytes on Linux too
  }
  if (!vma.copied) {
    return aspace::discard(start, end - start);
  }
  // The file's bytes again. A piece of its own, whose refusal would leave a hole.
  TRY(tree_.split(start));
  TRY(tree_.split(end));
  return copy_in_file(*tree_.find(start), start, end);
}

Result<void> AddressSpace::advise_one(Vma& vma, UserAddress start, UserAddress end, int advice) {
  switch (advice) {
    case MADV_DONTNEED:
      return discard_one(vma, start, end);
    case MADV_FREE:
      return is_private_anonymous(vma) ? discard_one(vma, start, end) : fail(EINVAL);
    case MADV_REMOVE:
      return remove_range(vma, start, end);
    case MADV_COLD:
    case MADV_PAGEOUT:
      return vma.locked ? fail(EINVAL) : Result<void>{};
    case MADV_HUGEPAGE:
    case MADV_NOHUGEPAGE:
      if (vma.object == nullptr) {
        TRY(aspace::advise(start, end - start, advice));
      }
      return mark(start, end, [advice](Vma& part) {
        part.huge = advice == MADV_HUGEPAGE;
        part.no_huge = advice == MADV_NOHUGEPAGE;
      });
    case MADV_WIPEONFORK:
      if (!is_private_anonymous(vma)) {
        return fail(EINVAL);
      }
      return mark(start, end, [](Vma& part) { part.wipe_on_fork = true; });
    case MADV_KEEPONFORK:
      return mark(start, end, [](Vma& part) { part.wipe_on_fork = false; });
    case MADV_DONTFORK:
    case MADV_DOFORK:
      return mark(start, end, [advice](Vma& part) { part.dont_fork = advice == MADV_DONTFORK; });
    default:
      return {};
  }
}

Result<void> AddressSpace::advise(UserAddress start, std::uint64_t length, int advice) {
  if (!is_known(advice) || !is_aligned(start, kPageSize) || start + length < start ||
      (length != 0 && align_up(length, kPageSize) == 0)) {
    return fail(EINVAL);
  }
  const UserAddress end = start + align_up(length, kPageSize);
  if (advice == MADV_POPULATE_READ || advice == MADV_POPULATE_WRITE) {
    return in_turns(start, end, [this, advice](UserAddress from, UserAddress to) {
      return populate_one(*tree_.find(from), from, to, advice);
    });
  }
  const Mutex::Guard guard(lock_);
  return for_each_part(start, end, [this, advice](Vma& vma, UserAddress from, UserAddress to) {
    return advise_one(vma, from, to, advice);
  });
}

Result<void> AddressSpace::sync(UserAddress start, std::uint64_t length, int flags) {
  if ((flags & ~(MS_ASYNC | MS_INVALIDATE | MS_SYNC)) != 0 ||
      (flags & (MS_ASYNC | MS_SYNC)) == (MS_ASYNC | MS_SYNC) || !is_aligned(start, kPageSize)) {
    return fail(EINVAL);
  }
  const UserRange range = TRY(user_range(start, length, ENOMEM));
  const Mutex::Guard guard(lock_);
  return for_each_part(range.start, range.end,
                       [flags](Vma& vma, UserAddress, UserAddress) -> Result<void> {
                         if ((flags & MS_INVALIDATE) != 0 && vma.locked) {
                           return fail(EBUSY);
                         }
                         if ((flags & MS_SYNC) == 0 || !vma.shared || vma.object == nullptr) {
                           return {};
                         }
                         return vma.object->sync_mapping();
                       });
}

/// What a program would find after touching every page. ENOMEM: it would find a bus error or a
/// page without permissions; other refusals are the pages' own affair.
Result<void> AddressSpace::populate(UserAddress start, UserAddress end) {
  return for_each_part(start, end, [](Vma& vma, UserAddress from, UserAddress to) -> Result<void> {
    if (vma.protection == PROT_NONE) {
      return fail(ENOMEM);
    }
    const bool reads = vma.shared && (vma.protection & PROT_READ) != 0;
    const bool writes = !reads && (vma.protection & PROT_WRITE) != 0;
    const Result<void> done =
        aspace::advise(from, to - from, writes ? MADV_POPULATE_WRITE : MADV_POPULATE_READ);
    // Pages that the file has grown by are mapped when they are touched.
    const std::uint64_t reach = vma.offset + (to - vma.start);
    const bool may_grow = vma.object != nullptr && !vma.copied &&
                          vma.object->mapped_end() >= reach &&
                          vma.object->mapped_end() != ~std::uint64_t{0};
    return !done && to_int(done.error()) == EFAULT && !may_grow ? fail(ENOMEM) : Result<void>{};
  });
}

Result<void> AddressSpace::populate_in_turns(UserAddress start, UserAddress end) {
  return in_turns(start, end,
                  [this](UserAddress from, UserAddress to) { return populate(from, to); });
}

std::uint64_t AddressSpace::locked_in(UserAddress start, UserAddress end) {
  std::uint64_t sum = 0;
  (void)for_each_part(start, end, [&sum](Vma& vma, UserAddress from, UserAddress to) {
    sum += vma.locked ? to - from : 0;
    return Result<void>{};
  });
  return sum;
}

Result<void> AddressSpace::mark_locked(UserAddress start, UserAddress end, bool locked) {
  return for_each_part(start, end, [this, locked](Vma&, UserAddress from, UserAddress to) {
    return mark(from, to, [locked](Vma& part) { part.locked = locked; });
  });
}

/// As Linux's mlock and munlock: what lies behind a hole stays as it is.
Result<void> AddressSpace::mark_until_hole(UserAddress start, UserAddress end, bool locked) {
  UserAddress reached = start;
  for (auto at = tree_.first_ending_above(start);
       at != tree_.end() && at->start <= reached && reached < end; ++at) {
    reached = std::min(at->end, end);
  }
  TRY(mark_locked(start, reached, locked));
  return reached < end ? fail(ENOMEM) : Result<void>{};
}

Result<void> AddressSpace::lock_range(UserAddress start, std::uint64_t length, std::uint64_t limit,
                                      bool populate_pages) {
  const UserRange range = TRY(user_range(start, length, ENOMEM));
  {
    const Mutex::Guard guard(lock_);
    const std::uint64_t more = range.end - range.start - locked_in(range.start, range.end);
    if (limit != ~0ULL && (tree_.locked_bytes() > limit || more > limit - tree_.locked_bytes())) {
      return fail(ENOMEM);
    }
    TRY(mark_until_hole(range.start, range.end, true));
  }
  return populate_pages ? populate_in_turns(range.start, range.end) : Result<void>{};
}

Result<void> AddressSpace::unlock_range(UserAddress start, std::uint64_t length) {
  const UserRange range = TRY(user_range(start, length, ENOMEM));
  const Mutex::Guard guard(lock_);
  return mark_until_hole(range.start, range.end, false);
}

void AddressSpace::lock_future(bool on, std::uint64_t limit) {
  const Mutex::Guard guard(lock_);
  lock_future_ = on;
  future_lock_limit_ = limit;
}

Result<void> AddressSpace::lock_all(std::uint64_t limit, bool populate_pages) {
  {
    const Mutex::Guard guard(lock_);
    if (tree_.total_bytes() > limit) {
      return fail(ENOMEM);
    }
    (void)mark_locked(0, abi::kUserEnd, true);  // holes are no error here
  }
  if (populate_pages) {
    (void)populate_in_turns(0, abi::kUserEnd);  // what cannot be touched is no error here
  }
  return {};
}

void AddressSpace::unlock_all() {
  const Mutex::Guard guard(lock_);
  lock_future_ = false;
  (void)mark_locked(0, abi::kUserEnd, false);
}

}  // namespace runhl::kernel
