// SPDX-License-Identifier: Apache-2.0
#include "mm/address_space.h"

#include <sys/mman.h>
#include <sys/resource.h>

#include <algorithm>
#include <memory>
#include <new>

#include "mm/aspace.h"
#include "mm/heap.h"
#include "runhl/abi/layout.h"

namespace runhl::kernel {
namespace {

/// [start, start + length) as whole pages inside user space; `error` where it is not.
struct Range {
  UserAddress start, end;
};
Result<Range> user_range(UserAddress start, std::uint64_t length, int error) {
  if (!is_aligned(start, kPageSize)) {
    return fail(EINVAL);
  }
  if (length > abi::kUserEnd || start > abi::kUserEnd - align_up(length, kPageSize)) {
    return fail(error);
  }
  return Range{start, start + align_up(length, kPageSize)};
}

}  // namespace

Result<void> AddressSpace::check_limits(std::uint64_t added, bool data) const {
  if (tree_.size() >= kMaxMappings) {
    return fail(ENOMEM);
  }
  const auto exceeds = [](std::uint64_t used, std::uint64_t more, std::uint64_t limit) {
    return limit != ~0ULL && (used > limit || more > limit - used);
  };
  if (exceeds(tree_.total_bytes(), added, limits_[RLIMIT_AS].soft) ||
      (data && exceeds(tree_.data_bytes(), added, limits_[RLIMIT_DATA].soft))) {
    return fail(ENOMEM);
  }
  return {};
}

Result<UserAddress> AddressSpace::place(const MapRequest& request, std::uint64_t length) {
  const bool fixed = (request.flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) != 0;
  if (fixed) {
    const Range range = TRY(user_range(request.address, length, ENOMEM));
    if (range.start < abi::kUserBase) {
      return fail(EPERM);  // Linux: below mmap_min_addr
    }
    if ((request.flags & MAP_FIXED_NOREPLACE) != 0 && !tree_.is_free(range.start, range.end)) {
      return fail(EEXIST);
    }
    return range.start;
  }
  if (request.address != 0) {
    const UserAddress hint = std::max(align_down(request.address, kPageSize), abi::kUserBase);
    if (hint <= abi::kUserEnd && length <= abi::kUserEnd - hint &&
        tree_.is_free(hint, hint + length)) {
      return hint;
    }
  }
  return find_free(length);
}

Result<UserAddress> AddressSpace::find_free(std::uint64_t length) {
  const UserAddress at = tree_.highest_gap(abi::kUserBase, layout_.mmap_top, length);
  if (at == 0) {
    return fail(ENOMEM);
  }
  return at;
}

Result<UserAddress> AddressSpace::map(const MapRequest& request) {
  const Mutex::Guard guard(lock_);
  return map_locked(request);
}

Result<UserAddress> AddressSpace::map_locked(const MapRequest& request) {
  if (request.length == 0 || !is_aligned(request.offset, kPageSize)) {
    return fail(EINVAL);
  }
  if (request.length > abi::kUserEnd) {
    return fail(ENOMEM);
  }
  const std::uint64_t length = align_up(request.length, kPageSize);
  if (request.object != nullptr && request.offset + length < request.offset) {
    return fail(EOVERFLOW);
  }
  const UserAddress start = TRY(place(request, length));
  const bool shared = (request.flags & MAP_TYPE) != MAP_PRIVATE;

  std::unique_ptr<Vma> vma(new (std::nothrow) Vma);
  if (vma == nullptr) {
    return fail(ENOMEM);
  }
  vma->start = start;
  vma->end = start + length;
  vma->protection = request.protection;
  vma->max_protection = request.max_protection;
  vma->kind = request.kind;
  vma->shared = shared;
  vma->object = request.object;
  vma->offset = request.object != nullptr ? request.offset : 0;
  if (request.object != nullptr) {
    vma->kind = VmaKind::File;
  } else if (shared) {
    vma->kind = VmaKind::SharedAnonymous;
    vma->object = TRY(SharedMemory::create(length));
  }
  TRY(check_limits(length, vma->is_data()));
  if ((request.flags & MAP_FIXED) != 0) {
    TRY(tree_.split(start));
    TRY(tree_.split(start + length));
  }
  TRY(back(*vma));  // in place of what was there, in one step of the host
  tree_.erase(start, start + length);
  tree_.insert(vma.release());
  return start;
}

/// Makes the host mapping of a VMA that is not in the tree yet.
Result<void> AddressSpace::back(const Vma& vma) {
  if (vma.object == nullptr) {
    return aspace::map_anon(vma.start, vma.size(), vma.protection);
  }
  for (std::uint64_t done = 0; done < vma.size();) {
    const Result<std::uint64_t> part = back_part(vma, done);
    if (part) {
      done += *part;
      continue;
    }
    // ENODEV: nothing to map. EPERM: the host's mount is noexec though ours is not; text can still
    // be a copy.
    const int error = to_int(part.error());
    if (!vma.shared && (error == ENODEV || error == EPERM)) {
      return copy_in_file(vma);
    }
    if (done != 0) {  // what was mapped there before is gone already, as it may be on Linux
      (void)aspace::unmap(vma.start, vma.size());
      tree_.erase(vma.start, vma.end);
    }
    return tl::unexpected(part.error());
  }
  return {};
}

/// Maps one piece of the object from `done` bytes into the VMA on; its length.
Result<std::uint64_t> AddressSpace::back_part(const Vma& vma, std::uint64_t done) {
  MapUse use = MapUse::Private;
  if (vma.shared) {
    use = (vma.max_protection & PROT_WRITE) != 0 ? MapUse::SharedWrite : MapUse::SharedRead;
  }
  const std::uint64_t rest = vma.size() - done;
  const aspace::Backing backing = TRY(vma.object->backing(vma.offset + done, rest, use));
  const std::uint64_t length = std::min(backing.length, rest);
  TRY(aspace::map_file(vma.start + done, length, vma.protection, backing,
                       vma.shared ? aspace::Sharing::Shared : aspace::Sharing::Private));
  return length;
}

Result<void> AddressSpace::copy_in_file(const Vma& vma) {
  TRY(aspace::map_anon(vma.start, vma.size(), PROT_READ | PROT_WRITE));
  Result<void> done = vma.object->copy_out_to(vma.start, vma.offset, vma.size());
  if (done && vma.protection != (PROT_READ | PROT_WRITE)) {
    done = aspace::protect(vma.start, vma.size(), vma.protection);
  }
  if (!done) {
    (void)aspace::unmap(vma.start, vma.size());  // ours alone; the first error counts
  }
  return done;
}

Result<void> AddressSpace::unmap(UserAddress start, std::uint64_t length) {
  if (length == 0) {
    return fail(EINVAL);
  }
  const Range range = TRY(user_range(start, length, EINVAL));
  const Mutex::Guard guard(lock_);
  return unmap_locked(range.start, range.end);
}

Result<void> AddressSpace::unmap_locked(UserAddress start, UserAddress end) {
  if (tree_.is_free(start, end)) {
    return {};
  }
  Vma* const around = tree_.find(start);
  if (around != nullptr && around->start < start && around->end > end &&
      tree_.size() >= kMaxMappings) {
    return fail(ENOMEM);  // a hole makes two of one
  }
  TRY(tree_.split(start));
  TRY(tree_.split(end));
  TRY(aspace::unmap(start, end - start));
  tree_.erase(start, end);
  return {};
}

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

Result<void> AddressSpace::require_mapped(UserAddress start, std::uint64_t length) {
  const Range range = TRY(user_range(start, length, ENOMEM));
  const Mutex::Guard guard(lock_);
  return for_each_part(range.start, range.end,
                       [](const Vma&, UserAddress, UserAddress) { return Result<void>{}; });
}

Result<void> AddressSpace::protect(UserAddress start, std::uint64_t length,
                                   std::uint32_t protection) {
  const Range range = TRY(user_range(start, length, ENOMEM));
  const Mutex::Guard guard(lock_);
  return protect_locked(range.start, range.end, protection);
}

Result<void> AddressSpace::protect_locked(UserAddress start, UserAddress end,
                                          std::uint32_t protection) {
  // Linux goes mapping by mapping and stops at the first hole or refusal; so do we.
  while (start < end) {
    Vma* const vma = tree_.find(start);
    if (vma == nullptr) {
      return fail(ENOMEM);
    }
    const UserAddress part_end = std::min(vma->end, end);
    if (vma->protection != protection) {
      if ((protection & ~vma->max_protection) != 0) {
        return fail(EACCES);
      }
      const bool becomes_data = !vma->is_data() && !vma->shared && (protection & PROT_WRITE) != 0;
      const bool splits = vma->start < start || vma->end > part_end;
      if (splits || becomes_data) {
        TRY(check_limits(0, false));
      }
      TRY(tree_.split(start));
      TRY(tree_.split(part_end));
      TRY(aspace::protect(start, part_end - start, protection));
      tree_.set_protection(start, part_end, protection);
    }
    start = part_end;
  }
  return {};
}

bool AddressSpace::extend_in_place(Vma& vma, UserAddress end) {
  if (end > abi::kUserEnd || end < vma.end || !tree_.is_free(vma.end, end) ||
      !check_limits(end - vma.end, vma.is_data())) {
    return false;
  }
  Vma piece;
  piece.start = vma.end;
  piece.end = end;
  piece.protection = vma.protection;
  piece.max_protection = vma.max_protection;
  piece.kind = vma.kind;
  piece.shared = vma.shared;
  piece.object = vma.object;
  piece.offset = vma.object != nullptr ? vma.offset + vma.size() : 0;
  if (!back(piece)) {
    return false;
  }
  tree_.extend(vma, end);
  return true;
}

Result<UserAddress> AddressSpace::remap(const RemapRequest& request) {
  const bool fixed = (request.flags & MREMAP_FIXED) != 0;
  const bool may_move = (request.flags & MREMAP_MAYMOVE) != 0;
  if ((request.flags & ~std::uint32_t{MREMAP_MAYMOVE | MREMAP_FIXED}) != 0 ||
      (fixed && !may_move) || request.new_length == 0 || request.old_length == 0) {
    return fail(EINVAL);
  }
  const Range old = TRY(user_range(request.address, request.old_length, EFAULT));
  if (request.new_length > abi::kUserEnd) {
    return fail(ENOMEM);
  }
  RemapRequest exact = request;
  exact.old_length = old.end - old.start;
  exact.new_length = align_up(request.new_length, kPageSize);

  const Mutex::Guard guard(lock_);
  Vma* const vma = tree_.find(old.start);
  if (vma == nullptr || vma->end < old.end) {
    return fail(EFAULT);
  }
  if (fixed) {
    const Range to = TRY(user_range(request.new_address, exact.new_length, EINVAL));
    if (to.start < abi::kUserBase || (to.start < old.end && old.start < to.end)) {
      return fail(EINVAL);
    }
    TRY(unmap_locked(to.start, to.end));
    if (exact.new_length < exact.old_length) {
      TRY(unmap_locked(old.start + exact.new_length, old.end));
      exact.old_length = exact.new_length;
    }
    return move_locked(exact, to.start);
  }
  if (exact.new_length <= exact.old_length) {
    if (exact.new_length < exact.old_length) {
      TRY(unmap_locked(old.start + exact.new_length, old.end));
    }
    return old.start;
  }
  return grow_locked(*vma, exact);
}

Result<UserAddress> AddressSpace::grow_locked(Vma& vma, const RemapRequest& request) {
  TRY(check_limits(request.new_length - request.old_length, vma.is_data()));
  if (vma.end == request.address + request.old_length &&
      extend_in_place(vma, request.address + request.new_length)) {
    return request.address;
  }
  if ((request.flags & MREMAP_MAYMOVE) == 0) {
    return fail(ENOMEM);
  }
  const UserAddress to = TRY(find_free(request.new_length));
  return move_locked(request, to);
}

Result<UserAddress> AddressSpace::move_locked(const RemapRequest& request, UserAddress to) {
  const UserAddress end = request.address + request.old_length;
  TRY(tree_.split(request.address));
  TRY(tree_.split(end));
  Vma* const vma = tree_.find(request.address);
  if (vma->object != nullptr && vma->kind == VmaKind::SharedAnonymous) {
    // Growth would reach past the kernel memory behind it.
    TRY(vma->object->backing(vma->offset, request.new_length, MapUse::SharedWrite));
  }
  if (vma->kind == VmaKind::File) {
    TRY(move_file(*vma, to, request.new_length));
  } else {
    TRY(aspace::move(request.address, request.old_length, to, request.new_length));
  }
  tree_.relocate(*vma, to, to + request.new_length);
  return to;
}

/// A file's pieces may be several mappings of the host, and what follows them is another question
/// to the file.
Result<void> AddressSpace::move_file(const Vma& vma, UserAddress to, std::uint64_t new_length) {
  if (new_length > vma.size()) {
    Vma growth;
    growth.start = to + vma.size();
    growth.end = to + new_length;
    growth.protection = vma.protection;
    growth.max_protection = vma.max_protection;
    growth.kind = vma.kind;
    growth.shared = vma.shared;
    growth.object = vma.object;
    growth.offset = vma.offset + vma.size();
    TRY(back(growth));
  }
  Result<void> moved = aspace::move(vma.start, vma.size(), to, vma.size());
  if (!moved && to_int(moved.error()) == EFAULT) {
    moved = {};
    for (std::uint64_t at = 0; moved && at < vma.size(); at += kPageSize) {
      moved = aspace::move(vma.start + at, kPageSize, to + at, kPageSize);
    }
  }
  if (!moved && new_length > vma.size()) {
    (void)aspace::unmap(to + vma.size(), new_length - vma.size());  // the first error counts
  }
  return moved;
}

UserAddress AddressSpace::set_break(UserAddress wanted) {
  const Mutex::Guard guard(lock_);
  if (wanted < heap_start_ || wanted > abi::kUserEnd) {
    return heap_end_;
  }
  const UserAddress old_end = align_up(heap_end_, kPageSize);
  const UserAddress new_end = align_up(wanted, kPageSize);
  if (new_end < old_end) {
    if (!unmap_locked(new_end, old_end)) {
      return heap_end_;
    }
  } else if (new_end > old_end) {
    MapRequest request;
    request.address = old_end;
    request.length = new_end - old_end;
    request.protection = PROT_READ | PROT_WRITE;
    request.flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;
    if (!map_locked(request)) {
      return heap_end_;
    }
  }
  heap_end_ = wanted;
  return heap_end_;
}

Result<void> AddressSpace::advise_one(const Vma& vma, UserAddress start, UserAddress end,
                                      int advice) {
  switch (advice) {
    case MADV_DONTNEED:
    case MADV_FREE:
      if (vma.locked) {
        return fail(EINVAL);
      }
      if (advice == MADV_FREE && (vma.shared || vma.object != nullptr)) {
        return fail(EINVAL);
      }
      // Shared memory keeps its bytes on Linux too.
      return vma.shared ? Result<void>{} : aspace::discard(start, end - start);
    case MADV_HUGEPAGE:
    case MADV_NOHUGEPAGE:
      return vma.object != nullptr ? Result<void>{} : aspace::advise(start, end - start, advice);
    case MADV_WIPEONFORK:
      if (vma.shared || vma.object != nullptr) {
        return fail(EINVAL);
      }
      return advise_fork(start, end, advice);
    case MADV_DONTFORK:
    case MADV_DOFORK:
    case MADV_KEEPONFORK:
      return advise_fork(start, end, advice);
    default:
      return {};
  }
}

/// MADV_DONTFORK, DOFORK, WIPEONFORK, KEEPONFORK: marks that fork reads.
Result<void> AddressSpace::advise_fork(UserAddress start, UserAddress end, int advice) {
  TRY(check_limits(0, false));
  TRY(tree_.split(start));
  TRY(tree_.split(end));
  tree_.change(start, end, [advice](Vma& vma) {
    if (advice == MADV_DONTFORK || advice == MADV_DOFORK) {
      vma.dont_fork = advice == MADV_DONTFORK;
    } else {
      vma.wipe_on_fork = advice == MADV_WIPEONFORK;
    }
  });
  return {};
}

Result<void> AddressSpace::advise(UserAddress start, std::uint64_t length, int advice) {
  switch (advice) {
    case MADV_NORMAL:
    case MADV_RANDOM:
    case MADV_SEQUENTIAL:
    case MADV_WILLNEED:
    case MADV_DONTNEED:
    case MADV_FREE:
    case MADV_HUGEPAGE:
    case MADV_NOHUGEPAGE:
    case MADV_DONTDUMP:
    case MADV_DODUMP:
    case MADV_COLD:
    case MADV_PAGEOUT:
    case MADV_DONTFORK:
    case MADV_DOFORK:
    case MADV_WIPEONFORK:
    case MADV_KEEPONFORK:
      break;
    default:
      return fail(EINVAL);
  }
  const Range range = TRY(user_range(start, length, EINVAL));
  const Mutex::Guard guard(lock_);
  return for_each_part(range.start, range.end,
                       [this, advice](const Vma& vma, UserAddress from, UserAddress to) {
                         return advise_one(vma, from, to, advice);
                       });
}

Result<void> AddressSpace::sync(UserAddress start, std::uint64_t length, int flags) {
  if ((flags & ~(MS_ASYNC | MS_INVALIDATE | MS_SYNC)) != 0 ||
      (flags & (MS_ASYNC | MS_SYNC)) == (MS_ASYNC | MS_SYNC)) {
    return fail(EINVAL);
  }
  const Range range = TRY(user_range(start, length, ENOMEM));
  const Mutex::Guard guard(lock_);
  return for_each_part(range.start, range.end,
                       [flags](const Vma& vma, UserAddress, UserAddress) -> Result<void> {
                         if ((flags & MS_SYNC) == 0 || !vma.shared || vma.object == nullptr) {
                           return {};
                         }
                         return vma.object->sync_mapping();
                       });
}

Result<MappingInfo> AddressSpace::find(UserAddress address) {
  const Mutex::Guard guard(lock_);
  const Vma* const vma = tree_.find(address);
  if (vma == nullptr) {
    return fail(ENOMEM);
  }
  return MappingInfo{
      .start = vma->start, .end = vma->end, .protection = vma->protection, .shared = vma->shared};
}

bool AddressSpace::fault_permitted(UserAddress address, std::uint32_t access) {
  const Result<MappingInfo> mapping = find(address);
  return mapping && (access & ~mapping->protection) == 0;
}

Result<MappingSnapshot> AddressSpace::next_mapping(UserAddress from) {
  const Mutex::Guard guard(lock_);
  const auto at = tree_.first_ending_above(from);
  if (at == tree_.end()) {
    return fail(ENOENT);
  }
  const Vma& vma = *at;
  MappingSnapshot out;
  out.start = vma.start;
  out.end = vma.end;
  out.protection = vma.protection;
  out.shared = vma.shared;
  out.locked = vma.locked;
  out.dont_fork = vma.dont_fork;
  out.wipe_on_fork = vma.wipe_on_fork;
  out.object = vma.object;
  out.offset = vma.offset;
  if (vma.kind == VmaKind::Special) {
    out.name = MappingName::Annex;
  } else if (vma.kind == VmaKind::Stack) {
    out.name = MappingName::Stack;
  } else if (vma.start < heap_end_ && vma.end > heap_start_) {
    out.name = MappingName::Heap;
  }
  return out;
}

Result<std::unique_ptr<AddressSpace>> AddressSpace::clone_for_fork(const Rlimits& limits) const {
  std::unique_ptr<AddressSpace> child(new (std::nothrow) AddressSpace(limits));
  if (child == nullptr) {
    return fail(ENOMEM);
  }
  TRY(child->tree_.copy_from(tree_));
  for (Vma& vma : child->tree_) {
    vma.locked = false;  // Linux: memory locks are not inherited
  }
  child->layout_ = layout_;
  child->heap_start_ = heap_start_;
  child->heap_end_ = heap_end_;
  return child;
}

Result<void> AddressSpace::finish_fork() {
  const Mutex::Guard guard(lock_);
  for (auto at = tree_.begin(); at != tree_.end();) {
    const Vma& vma = *at++;
    if (vma.dont_fork) {
      TRY(unmap_locked(vma.start, vma.end));
    } else if (vma.wipe_on_fork) {
      TRY(aspace::discard(vma.start, vma.size()));
    }
  }
  return {};
}

Result<UserAddress> AddressSpace::reserve_annex(UserAddress near) {
  constexpr std::uint64_t kReach = 1900 * kMiB;
  const Mutex::Guard guard(lock_);
  MapRequest request;
  request.address = tree_.nearest_gap(align_down(near, kPageSize), kReach - kAnnexSize, kAnnexSize);
  if (request.address == 0) {
    return fail(ENOMEM);
  }
  request.length = kAnnexSize;
  request.protection = PROT_READ | PROT_EXEC;
  request.flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;
  request.kind = VmaKind::Special;
  return map_locked(request);
}

Result<void> AddressSpace::reset(const UserLayout& layout) {
  const Mutex::Guard guard(lock_);
  if (tree_.begin() != tree_.end()) {
    TRY(aspace::unmap(abi::kUserBase, abi::kUserEnd - abi::kUserBase));
    tree_.clear();
  }
  layout_ = layout;
  heap_start_ = heap_end_ = 0;
  return {};
}

void AddressSpace::set_heap_start(UserAddress start) {
  const Mutex::Guard guard(lock_);
  heap_start_ = heap_end_ = start;
}

}  // namespace runhl::kernel
