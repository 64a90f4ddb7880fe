// SPDX-License-Identifier: Apache-2.0
// The memory of a process: the VMA tree and the host mappings behind it, kept in step under the mm
// lock. Every system call of this subject is one method here.
//
//   AddressSpace& mm = *current().process->mm;
//   const UserAddress at = TRY(mm.map({.length = 8192, .protection = PROT_READ, .flags = ...}));
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "core/result.h"
#include "core/user_memory.h"
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

  Result<UserAddress> map(const MapRequest& request);
  Result<void> unmap(UserAddress start, std::uint64_t length);
  Result<void> protect(UserAddress start, std::uint64_t length, std::uint32_t protection);
  Result<UserAddress> remap(const RemapRequest& request);
  Result<void> advise(UserAddress start, std::uint64_t length, int advice);
  Result<void> sync(UserAddress start, std::uint64_t length, int flags);
  /// brk(2): the new break, or the old one where it cannot be had.
  UserAddress set_break(UserAddress wanted);
  /// ENOMEM unless the whole range is mapped (mincore, mlock, ...).
  Result<void> require_mapped(UserAddress start, std::uint64_t length);
  Result<MappingInfo> find(UserAddress address);
  [[nodiscard]] bool fault_permitted(UserAddress address, std::uint32_t access);
  Result<UserAddress> reserve_annex(UserAddress near);
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
  Result<std::unique_ptr<AddressSpace>> clone_for_fork(const Rlimits& limits) const;
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

 private:
  Result<void> check_limits(std::uint64_t added, bool data) const;
  Result<UserAddress> place(const MapRequest& request, std::uint64_t length);
  Result<void> back(const Vma& vma);
  Result<std::uint64_t> back_part(const Vma& vma, std::uint64_t done);
  Result<void> move_file(const Vma& vma, UserAddress to, std::uint64_t new_length);
  Result<void> copy_in_file(const Vma& vma);
  Result<void> unmap_locked(UserAddress start, UserAddress end);
  Result<UserAddress> map_locked(const MapRequest& request);
  Result<void> protect_locked(UserAddress start, UserAddress end, std::uint32_t protection);
  Result<UserAddress> grow_locked(Vma& vma, const RemapRequest& request);
  Result<UserAddress> move_locked(const RemapRequest& request, UserAddress to);
  bool extend_in_place(Vma& vma, UserAddress end);
  Result<void> advise_fork(UserAddress start, UserAddress end, int advice);
  Result<void> advise_one(const Vma& vma, UserAddress start, UserAddress end, int advice);
  template <typename F>
  Result<void> for_each_part(UserAddress start, UserAddress end, F&& act);

  Mutex lock_{LockRank::Mm};
  VmaTree tree_;
  const Rlimits& limits_;
  UserLayout layout_;
  UserAddress heap_start_ = 0;
  UserAddress heap_end_ = 0;  // the break, any byte
};

}  // namespace runhl::kernel
