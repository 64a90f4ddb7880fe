// SPDX-License-Identifier: Apache-2.0
#include "ipc/shared_segment.h"

#include <linux/capability.h>
#include <sys/mman.h>

#include <algorithm>

#include "core/settings.h"
#include "proc/task.h"
#include "runhl/core/units.h"
#include "syscalls/context.h"

namespace runhl::kernel {
namespace {

// SHM_DEST and SHM_LOCKED, which <linux/shm.h> keeps to itself.
constexpr std::uint32_t kRemoveAtLastDetach = 01000;
constexpr std::uint32_t kLocked = 02000;

constinit IpcTable* g_segments = nullptr;  // made at boot

std::uint64_t pages_of(const SharedSegment& segment) {
  return align_up(segment.memory->size(), kPageSize) / kPageSize;
}

SharedSegment& segment_of(IpcObject& object) {
  return static_cast<SharedSegment&>(object);
}

/// With the lock; the caller lets go of the result without it.
Ref<IpcObject> take_off(SharedSegment& segment) {
  segment.leave_memory();
  return g_segments->remove(segment);
}

}  // namespace

Result<void> shared_segments_init() {
  g_segments = TRY(make<IpcTable>()).release();
  return {};
}

void SegmentMemory::mapping_added() {
  const SpinLock::Guard guard(g_segments->lock);
  if (segment_ != nullptr) {
    ++segment_->attaches;
    segment_->attached = ipc_time_now();
    segment_->last_user = ipc_caller();
  }
}

void SegmentMemory::mapping_removed() {
  Ref<IpcObject> gone;
  const SpinLock::Guard guard(g_segments->lock);
  if (segment_ == nullptr) {
    return;
  }
  segment_->detached = ipc_time_now();
  segment_->last_user = ipc_caller();
  if (--segment_->attaches == 0 && (segment_->mode & kRemoveAtLastDetach) != 0) {
    gone = take_off(*segment_);
  }
}

void SegmentMemory::name_in_maps(TextWriter& out) const {
  out.add("/SYSV", Hex{.value = static_cast<std::uint32_t>(key_), .width = 8}, " (deleted)");
}

Result<std::int32_t> shm_get(std::int32_t key, std::uint64_t size, std::uint32_t flags) {
  const auto fits = [size](const IpcObject& object) {
    const auto& segment = static_cast<const SharedSegment&>(object);
    return segment.memory->size() < size ? fail(EINVAL) : Result<void>{};
  };
  const auto make = [&]() -> Result<Ref<SharedSegment>> {
    if (size == 0 || size > unsigned_value_of(settings().shmmax)) {
      return fail(EINVAL);
    }
    const std::uint64_t pages = size / kPageSize + (size % kPageSize != 0 ? 1 : 0);
    const std::uint64_t all = unsigned_value_of(settings().shmall);
    if (pages > all || shm_totals().pages > all - pages) {
      return fail(ENOSPC);
    }
    if ((flags & SHM_HUGETLB) != 0) {
      return fail(ENOMEM);  // there are no huge pages
    }
    Ref<SharedMemory> memory = TRY(SharedMemory::create(size));
    Ref<SegmentMemory> shown = TRY(make_ref<SegmentMemory>(std::move(memory), key));
    Ref<SharedSegment> segment = TRY(make_ref<SharedSegment>(std::move(shown)));
    segment->creator = ipc_caller();
    return segment;
  };
  return ipc_get(*g_segments, key, flags, value_of(settings().shmmni), fits, make);
}

namespace {

/// Where shmat is to map; 0: anywhere.
Result<UserAddress> attach_address(UserAddress address, std::uint32_t flags) {
  if (address == 0) {
    return (flags & SHM_REMAP) != 0 ? fail(EINVAL) : Result<UserAddress>(0);
  }
  if (is_aligned(address, kPageSize)) {
    return address;
  }
  const UserAddress rounded = align_down(address, kPageSize);
  const bool usable = (flags & SHM_RND) != 0 && (rounded != 0 || (flags & SHM_REMAP) == 0);
  return usable ? Result<UserAddress>(rounded) : fail(EINVAL);
}

}  // namespace

Result<UserAddress> shm_attach(std::int32_t id, UserAddress address, std::uint32_t flags) {
  MapRequest request;
  request.address = TRY(attach_address(address, flags));
  request.flags = MAP_SHARED;
  request.protection = PROT_READ;
  std::uint32_t access = 0444;
  if ((flags & SHM_RDONLY) == 0) {
    request.protection |= PROT_WRITE;
    access |= 0222;
  } else {
    request.max_protection = PROT_READ | PROT_EXEC;
  }
  if ((flags & SHM_EXEC) != 0) {
    request.protection |= PROT_EXEC;
    access |= 0111;
  }
  Ref<SegmentMemory> memory;
  {
    const SpinLock::Guard guard(g_segments->lock);
    const SharedSegment& segment = segment_of(*TRY(g_segments->find(id)));
    TRY(check_ipc_access(segment, access));
    memory = segment.memory;
  }
  request.length = memory->size();
  request.object = memory;
  if (request.address != 0) {
    request.flags |= (flags & SHM_REMAP) != 0 ? MAP_FIXED : MAP_FIXED_NOREPLACE;
  }
  const Result<UserAddress> mapped = current_mm().map(request);
  const bool taken = !mapped && to_int(mapped.error()) == EEXIST;
  return taken ? fail(EINVAL) : mapped;
}

Result<void> shm_remove(std::int32_t id) {
  Ref<IpcObject> gone;
  const SpinLock::Guard guard(g_segments->lock);
  SharedSegment& segment = segment_of(*TRY(g_segments->find(id)));
  TRY(check_ipc_control(segment));
  if (segment.attaches == 0) {
    gone = take_off(segment);
    return {};
  }
  segment.mode |= kRemoveAtLastDetach;
  segment.key = IPC_PRIVATE;  // nobody finds it any more
  return {};
}

Result<void> shm_set_owner(std::int32_t id, const IpcOwner& owner) {
  const SpinLock::Guard guard(g_segments->lock);
  SharedSegment& segment = segment_of(*TRY(g_segments->find(id)));
  TRY(check_ipc_control(segment));
  set_ipc_owner(segment, owner);
  return {};
}

Result<void> shm_lock(std::int32_t id, bool locked) {
  const Task& task = current();
  const SpinLock::Guard guard(g_segments->lock);
  SharedSegment& segment = segment_of(*TRY(g_segments->find(id)));
  if (!task.credentials.has(CAP_IPC_LOCK)) {
    const std::uint32_t euid = task.credentials.euid;
    const bool own = euid == segment.uid || euid == segment.creator_uid;
    if (!own || (locked && task.process->rlimits[RLIMIT_MEMLOCK].soft == 0)) {
      return fail(EPERM);
    }
  }
  segment.mode = locked ? segment.mode | kLocked : segment.mode & ~kLocked;
  return {};
}

Result<std::int32_t> shm_status(std::int32_t number, StatBy by, shmid64_ds& out) {
  const SpinLock::Guard guard(g_segments->lock);
  const SharedSegment& segment = segment_of(*TRY(find_for_status(*g_segments, number, by)));
  out = {};
  out.shm_perm = ipc_permissions(segment);
  out.shm_segsz = segment.memory->size();
  out.shm_atime = segment.attached;
  out.shm_dtime = segment.detached;
  out.shm_ctime = segment.changed;
  out.shm_cpid = segment.creator;
  out.shm_lpid = segment.last_user;
  out.shm_nattch = segment.attaches;
  return segment.id();
}

SegmentTotals shm_totals() {
  const SpinLock::Guard guard(g_segments->lock);
  SegmentTotals totals{.count = static_cast<std::int32_t>(g_segments->count()),
                       .highest_place = g_segments->highest_place(),
                       .pages = 0};
  for (IpcObject& object : g_segments->objects()) {
    totals.pages += pages_of(segment_of(object));
  }
  return totals;
}

void write_shared_segments(TextWriter& out) {
  const SpinLock::Guard guard(g_segments->lock);
  const auto number = [](std::uint64_t value, std::uint32_t width) {
    return Decimal{.value = value, .width = width};
  };
  for (IpcObject& object : g_segments->objects()) {
    const SharedSegment& each = segment_of(object);
    add_ipc_key(out, each);
    out.add(' ', number(each.memory->size(), 21), ' ',
            number(static_cast<std::uint32_t>(each.creator), 5), ' ',
            number(static_cast<std::uint32_t>(each.last_user), 5), "  ", number(each.attaches, 5));
    add_ipc_owner(out, each);
    for (const std::int64_t time : {each.attached, each.detached, each.changed}) {
      out.add(' ', number(static_cast<std::uint64_t>(time), 10));
    }
    out.add(' ', number(pages_of(each) * kPageSize, 21), ' ', number(0, 21), '\n');
  }
}

}  // namespace runhl::kernel
