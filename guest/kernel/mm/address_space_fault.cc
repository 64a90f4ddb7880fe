// SPDX-License-Identifier: Apache-2.0
// Faults that the guest's map explains: mappings that grow down, and mappings that reach behind
// what was their object's end when they were made; and objects that became shorter.
#include <sys/mman.h>
#include <sys/resource.h>

#include "mm/address_space.h"
#include "mm/aspace.h"

namespace runhl::kernel {
namespace {

/// A stack grows by this much at a time where it can: a fault costs microseconds in a cell.
constexpr std::uint64_t kGrowth = 64 * kKiB;

}  // namespace

/// Linux's expand_stack(): the mapping above `address` comes down to it.
bool AddressSpace::grow_down(UserAddress address) {
  const auto above = tree_.first_ending_above(address);
  if (above == tree_.end() || !above->grows_down || above->start <= address) {
    return false;
  }
  UserAddress lowest = abi::kUserBase;
  if (above != tree_.begin()) {
    auto before = above;
    --before;
    // Only what can be touched needs a gap; another stack or a PROT_NONE guard does not.
    const bool gap = !before->grows_down && before->protection != PROT_NONE;
    lowest = before->end + (gap ? kStackGuardGap : 0);
  }
  const std::uint64_t limit = limits_[RLIMIT_STACK].soft;
  if (limit != ~0ULL) {
    const UserAddress by_limit = limit < above->end ? align_up(above->end - limit, kPageSize) : 0;
    lowest = std::max(lowest, by_limit);
  }
  const UserAddress page = align_down(address, kPageSize);
  if (page < lowest) {
    return false;
  }
  UserAddress start = std::max(align_down(page, kGrowth), lowest);
  if (!check_limits(above->start - start, false)) {
    start = page;
    if (!check_limits(above->start - start, false)) {
      return false;
    }
  }
  if (!aspace::map_anon(start, above->start - start, above->protection)) {
    return false;
  }
  tree_.extend_down(*above, start);
  return true;
}

FaultOutcome AddressSpace::resolve_fault(UserAddress address, std::uint32_t access) {
  if (address >= abi::kUserEnd) {
    return FaultOutcome::NotMapped;
  }
  const Mutex::Guard guard(lock_);
  Vma* const vma = tree_.find(address);
  if (vma == nullptr) {
    return grow_down(address) ? FaultOutcome::Retry : FaultOutcome::NotMapped;
  }
  // x86: what can be written or executed can be read.
  const bool readable = access == PROT_READ && vma->protection != PROT_NONE;
  if ((vma->protection & access) == 0 && !readable) {
    return FaultOutcome::NotPermitted;
  }
  return FaultOutcome::Retry;  // it raced with a change of the map
}

FaultOutcome AddressSpace::resolve_bus_error(UserAddress address) {
  const Mutex::Guard guard(lock_);
  return map_grown(address, false);
}

bool AddressSpace::resolve_bus_error_for_copy(UserAddress address) {
  const Mutex::TryGuard guard(lock_);
  return guard.held() && map_grown(address, true) == FaultOutcome::Retry;
}

/// `at_once`: without waiting for a lock of the object.
FaultOutcome AddressSpace::map_grown(UserAddress address, bool at_once) {
  Vma* const vma = tree_.find(address);
  if (vma == nullptr || vma->object == nullptr || vma->copied) {
    return FaultOutcome::BehindEnd;
  }
  const UserAddress page = align_down(address, kPageSize);
  const std::uint64_t offset = vma->offset + (page - vma->start);
  // A private mapping may hold pages of the program's own behind this one.
  const std::uint64_t reach = vma->shared ? vma->end - page : kPageSize;
  const MapUse use = vma->shared ? MapUse::SharedWrite : MapUse::Private;
  const Result<aspace::Backing> backing = at_once ? vma->object->backing_at_once(offset, reach, use)
                                                  : vma->object->backing(offset, reach, use);
  if (!backing || backing->kind == aspace::Backing::Kind::BeyondEnd ||
      backing->kind == aspace::Backing::Kind::Injected) {
    return FaultOutcome::BehindEnd;  // of injected files the host itself sees the growth
  }
  const auto sharing = vma->shared ? aspace::Sharing::Shared : aspace::Sharing::Private;
  return aspace::map_file(page, std::min(backing->length, reach), vma->protection, *backing,
                          sharing)
             ? FaultOutcome::Retry
             : FaultOutcome::BehindEnd;
}

void AddressSpace::mend_cut_files() {
  const std::uint32_t cuts = file_cut_count();
  const Mutex::Guard guard(lock_);
  if (cuts_seen_ == cuts) {
    return;
  }
  cuts_seen_ = cuts;
  for (const Vma& vma : tree_) {
    const std::uint64_t end = vma.object == nullptr ? ~0ULL : vma.object->mapped_end();
    if (end >= vma.offset + vma.size()) {
      continue;
    }
    // Pages that a private mapping has as its own there go too, as on Linux.
    const UserAddress from = vma.start + (end > vma.offset ? end - vma.offset : 0);
    (void)aspace::map_file(from, vma.end - from, vma.protection,
                           {.kind = aspace::Backing::Kind::BeyondEnd},
                           vma.shared ? aspace::Sharing::Shared : aspace::Sharing::Private);
  }
}

bool AddressSpace::grow_for_copy(UserAddress address) {
  const Mutex::TryGuard guard(lock_);
  return guard.held() && address < abi::kUserEnd && tree_.find(address) == nullptr &&
         grow_down(address);
}

}  // namespace runhl::kernel
