// SPDX-License-Identifier: Apache-2.0
// The memory of a process: the VMA tree and the host mappings behind it, kept in step under the mm
// lock. Every system call of this subject is one method here.
//
//   AddressSpace& mm = *current().process->mm;
//   const UserAddress at = TRY(mm.map({.length = 8192, .protection = PROT_READ, .flags = ...}));
//
//   address_space.cc          map, unmap, protect, find, the break, exec
//   address_space_remap.cc    mremap
//   address_space_advise.cc   madvise, msync, memory locks
//   address_space_fault.cc    growth by fault, objects that grew
//   address_space_fork.cc     fork, and the list for /proc
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>

#include "core/result.h"
#include "core/user_memory.h"
#include "mm/file_cuts.h"
#include "mm/file_windows.h"
#include "mm/heap.h"
#include "mm/layout.h"
#include "mm/map_object.h"
#include "mm/user_map.h"
#include "mm/vma.h"
#include "runhl/abi/boot.h"
#include "sched/locks.h"

namespace runhl::kernel {

using Rlimits = std::array<abi::BootRlimit, 16>;

/// Linux's sysctl_max_map_count.
inline constexpr std::size_t kMaxMappings = 65'530;

struct MapRequest {
  UserAddress address = 0;
  std::uint64_t length = 0;
  std::uint32_t protection = 0;
  std::uint32_t flags = 0;  // MAP_*
  Ref<MapObject> object;    // null: anonymous
  std::uint64_t offset = 0;
  std::uint32_t max_protection = 7;   // what the file's mode and mount allow
  VmaKind kind = VmaKind::Anonymous;  // Stack, Special; File and SharedAnonymous are derived
};

struct RemapRequest {
  UserAddress address = 0;
  std::uint64_t old_length = 0;
  std::uint64_t new_length = 0;
  std::uint32_t flags = 0;  // MREMAP_*
  UserAddress new_address = 0;
};

class AddressSpace {
 public:
  explicit AddressSpace(const Rlimits& limits) : limits_(limits) {}
  AddressSpace(const AddressSpace&) = delete;
  AddressSpace& operator=(const AddressSpace&) = delete;
  ~AddressSpace() = default;

  /// Of the cell that has this address space.
  [[nodiscard]] FileWindows& file_windows() { return file_windows_; }

  Result<UserAddress> map(const MapRequest& request);
  Result<void> unmap(UserAddress start, std::uint64_t length);
  /// `protection` may have PROT_GROWSDOWN: from the start of the mapping, which must grow down.
  Result<void> protect(UserAddress start, std::uint64_t length, std::uint32_t protection);
  Result<UserAddress> remap(const RemapRequest& request);
  /// remap_file_pages(2), as Linux emulates it: the file's page `page` shows at `start`.
  Result<void> remap_file_pages(UserAddress start, std::uint64_t length, std::uint64_t page);
  Result<void> advise(UserAddress start, std::uint64_t length, int advice);
  Result<void> sync(UserAddress start, std::uint64_t length, int flags);
  /// shmdt(2): the mappings of the segment that was attached at `start`. EINVAL: none was.
  Result<void> detach_segment(UserAddress start);
  /// brk(2): the new break, or the old one where it cannot be had.
  UserAddress set_break(UserAddress wanted);
  /// ENOMEM unless the whole range is mapped (mincore).
  Result<void> require_mapped(UserAddress start, std::uint64_t length);
  Result<MappingInfo> find(UserAddress address);
  Result<SharedPlace> find_shared_place(UserAddress address);
  Result<UserAddress> reserve_annex(UserAddress near);

  // Memory locks. Nothing is pinned on the host; the limits and the errors are Linux's.
  /// `limit` in bytes for all of the process. `populate`: the pages are wanted now.
  Result<void> lock_range(UserAddress start, std::uint64_t length, std::uint64_t limit,
                          bool populate);
  Result<void> unlock_range(UserAddress start, std::uint64_t length);
  /// What is mapped from now on is locked (MCL_FUTURE).
  void lock_future(bool on, std::uint64_t limit);
  Result<void> lock_all(std::uint64_t limit, bool populate);
  void unlock_all();

  /// What a fault at `address` was; it may have been mended. `access`: one of PROT_*.
  FaultOutcome resolve_fault(UserAddress address, std::uint32_t access);
  /// The same for a SIGBUS: memory of ours that the object has grown by since it was mapped.
  FaultOutcome resolve_bus_error(UserAddress address);
  /// For a copy of the kernel that faulted, which may hold any locks: true: try again.
  bool grow_for_copy(UserAddress address);
  /// The same where the copy met a bus error.
  bool resolve_bus_error_for_copy(UserAddress address);
  /// What lies behind the end of files that were cut (mm/file_cuts.h) is a bus error from now on.
  void mend_cut_files();

  /// The mapping that holds `from`, or the first above it; ENOENT: none. Walks all of a map, which
  /// may change in between: begin with 0, go on with the end of the last one.
  Result<MappingSnapshot> next_mapping(UserAddress from);

  // For fork, in this order:
  //   const Mutex::Guard guard(mm.fork_lock());            // one map for both copies
  //   auto child_mm = TRY(mm.clone_for_fork(child->rlimits));
  //   runhl_clone_cell(...);                               // the host copies the pages
  //   child, as its first act on the map: child_mm->finish_fork();
  Mutex& fork_lock() { return lock_; }
  /// The same map, layout and break. Pages are the host's to copy.
  [[nodiscard]] Result<std::unique_ptr<AddressSpace>> clone_for_fork(const Rlimits& limits) const;
  /// In the child's cell: drops what MADV_DONTFORK and MADV_WIPEONFORK keep from it.
  Result<void> finish_fork();

  // For exec.
  /// Unmaps everything and takes a new layout.
  Result<void> reset(const UserLayout& layout);
  /// Where `length` bytes would be placed.
  Result<UserAddress> find_free(std::uint64_t length);
  void set_heap_start(UserAddress start);
  [[nodiscard]] const UserLayout& layout() const { return layout_; }
  [[nodiscard]] std::uint64_t total_bytes() const { return tree_.total_bytes(); }
  /// The most that anybody who looked has found in memory, `now` among it.
  std::uint64_t peak_resident(std::uint64_t now) {
    peak_resident_ = std::max(peak_resident_, now);
    return peak_resident_;
  }
  [[nodiscard]] std::uint64_t data_bytes() const { return tree_.data_bytes(); }
  [[nodiscard]] std::uint64_t locked_bytes() const { return tree_.locked_bytes(); }

 private:
  FileWindows file_windows_;

  [[nodiscard]] Result<void> check_limits(std::uint64_t added, bool data) const;
  Result<UserAddress> place(const MapRequest& request, std::uint64_t length);
  Result<Owned<Vma>> make_vma(const MapRequest& request, UserAddress start, std::uint64_t length);
  Result<void> back(Vma& vma, UserAddress start, UserAddress end);
  Result<std::uint64_t> back_piece(Vma& vma, UserAddress start, UserAddress end);
  Result<void> copy_in_file(const Vma& vma, UserAddress start, UserAddress end);
  Result<void> unmap_locked(UserAddress start, UserAddress end);
  Result<UserAddress> map_locked(const MapRequest& request);
  Result<void> protect_locked(UserAddress start, UserAddress end, std::uint32_t protection);
  Result<void> check_source(const RemapRequest& request);
  Result<UserAddress> remap_fixed(RemapRequest request);
  Result<UserAddress> remap_each(const RemapRequest& request);
  Result<UserAddress> remap_anywhere(const RemapRequest& request);
  Result<UserAddress> grow_locked(Vma& vma, const RemapRequest& request);
  Result<UserAddress> move_locked(const RemapRequest& request, UserAddress to);
  Result<void> move_pages(const Vma& vma, const RemapRequest& request, UserAddress to);
  Result<UserAddress> map_again(const Vma& vma, const RemapRequest& request);
  bool extend_in_place(Vma& vma, UserAddress end);
  Result<void> advise_one(Vma& vma, UserAddress start, UserAddress end, int advice);
  Result<void> discard_one(Vma& vma, UserAddress start, UserAddress end);
  template <typename F>
  Result<void> mark(UserAddress start, UserAddress end, F&& set);
  Result<void> mark_locked(UserAddress start, UserAddress end, bool locked);
  Result<void> mark_until_hole(UserAddress start, UserAddress end, bool locked);
  std::uint64_t locked_in(UserAddress start, UserAddress end);
  Result<void> populate(UserAddress start, UserAddress end);
  /// The same with the lock not held.
  Result<void> populate_in_turns(UserAddress start, UserAddress end);
  template <typename F>
  Result<void> in_turns(UserAddress start, UserAddress end, F&& act);
  bool grow_down(UserAddress address);
  FaultOutcome map_grown(UserAddress address, bool at_once);
  template <typename F>
  Result<void> for_each_part(UserAddress start, UserAddress end, F&& act);

  Mutex lock_{LockRank::Mm};
  VmaTree tree_;
  const Rlimits& limits_;
  UserLayout layout_;
  UserAddress heap_start_ = 0;
  UserAddress heap_end_ = 0;             // the break, any byte
  std::uint64_t peak_resident_ = 0;      // bytes
  std::uint64_t future_lock_limit_ = 0;  // of lock_future()
  bool lock_future_ = false;
  std::uint32_t cuts_seen_ = file_cut_count();
};

/// [start, start + length) as whole pages inside user space; EINVAL where start is none, `error`
/// where it does not fit.
struct UserRange {
  UserAddress start, end;
};
Result<UserRange> user_range(UserAddress start, std::uint64_t length, int error);

/// Calls act(vma, from, to) for the mapped parts of the range in order; it may split and merge
/// mappings. ENOMEM after all of them when there was a hole, as Linux's madvise and msync do.
template <typename F>
Result<void> AddressSpace::for_each_part(UserAddress start, UserAddress end, F&& act) {
  bool hole = false;
  for (UserAddress expected = start; expected < end;) {
    const auto at = tree_.first_ending_above(expected);
    const bool beyond = at == tree_.end() || at->start >= end;
    hole |= beyond || at->start > expected;
    if (beyond) {
      break;
    }
    const UserAddress from = std::max(at->start, expected);
    expected = std::min(at->end, end);
    TRY(act(*at, from, expected));
  }
  return hole ? fail(ENOMEM) : Result<void>{};
}

/// Calls set(vma) for the mappings of a wholly mapped range, which begin and end with it then.
template <typename F>
Result<void> AddressSpace::mark(UserAddress start, UserAddress end, F&& set) {
  TRY(check_limits(0, false));
  TRY(tree_.split(start));
  TRY(tree_.split(end));
  tree_.change(start, end, set);
  return {};
}

}  // namespace runhl::kernel
