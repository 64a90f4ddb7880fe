// SPDX-License-Identifier: Apache-2.0
#include "mm/address_space.h"

#include <sys/mman.h>
#include <sys/resource.h>

#include <algorithm>
#include <memory>
#include <new>

#include "mm/aspace.h"
#include "mm/heap.h"
#include "mm/shared_memory.h"
#include "runhl/abi/layout.h"

namespace runhl::kernel {

Result<UserRange> user_range(UserAddress start, std::uint64_t length, int error) {
  if (!is_aligned(start, kPageSize)) {
    return fail(EINVAL);
  }
  if (length > abi::kUserEnd || start > abi::kUserEnd - align_up(length, kPageSize)) {
    return fail(error);
  }
  return UserRange{start, start + align_up(length, kPageSize)};
}

namespace {
bool exceeds(std::uint64_t used, std::uint64_t more, std::uint64_t limit) {
  return limit != ~0ULL && (used > limit || more > limit - used);
}
}  // namespace

Result<void> AddressSpace::check_limits(std::uint64_t added, bool data) const {
  if (tree_.size() >= kMaxMappings) {
    return fail(ENOMEM);
  }
  if (exceeds(tree_.total_bytes(), added, limits_[RLIMIT_AS].soft) ||
      (data && exceeds(tree_.data_bytes(), added, limits_[RLIMIT_DATA].soft))) {
    return fail(ENOMEM);
  }
  if (lock_future_ && exceeds(tree_.locked_bytes(), added, future_lock_limit_)) {
    return fail(EAGAIN);
  }
  return {};
}

Result<UserAddress> AddressSpace::place(const MapRequest& request, std::uint64_t length) {
  const bool fixed = (request.flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) != 0;
  if (fixed) {
    const UserRange range = TRY(user_range(request.address, length, ENOMEM));
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
    const auto next = tree_.first_ending_above(hint);
    const std::uint64_t gap = next != tree_.end() && next->grows_down ? kStackGuardGap : 0;
    if (hint <= abi::kUserEnd && length + gap <= abi::kUserEnd - hint &&
        tree_.is_free(hint, hint + length + gap)) {
      return hint;
    }
  }
  return find_free(length);
}

Result<UserAddress> AddressSpace::find_free(std::uint64_t length) {
  UserAddress at = tree_.highest_gap(abi::kUserBase, layout_.mmap_top, length);
  if (at == 0) {
    at = tree_.highest_gap(layout_.mmap_top, abi::kUserEnd, length);  // Linux: bottom-up then
  }
  if (at == 0) {
    return fail(ENOMEM);
  }
  return at;
}

Result<UserAddress> AddressSpace::map(const MapRequest& request) {
  UserAddress start = 0;
  bool wanted_now = false;
  {
    const Mutex::Guard guard(lock_);
    start = TRY(map_locked(request));
    wanted_now = (request.flags & (MAP_POPULATE | MAP_LOCKED)) != 0 || lock_future_;
  }
  if (wanted_now) {
    (void)populate_in_turns(start, start + align_up(request.length, kPageSize));  // nobody is told
  }
  return start;
}

Result<Owned<Vma>> AddressSpace::make_vma(const MapRequest& request, UserAddress start,
                                          std::uint64_t length) {
  const bool shared = (request.flags & MAP_TYPE) != MAP_PRIVATE;
  Owned<Vma> vma = TRY(make<Vma>());
  vma->start = start;
  vma->end = start + length;
  vma->max_protection = request.max_protection;
  vma->kind = request.kind;
  vma->shared = shared;
  vma->no_reserve = (request.flags & MAP_NORESERVE) != 0;
  vma->set_protection(request.protection);
  vma->grows_down = (request.flags & MAP_GROWSDOWN) != 0;
  vma->locked = lock_future_ || (request.flags & MAP_LOCKED) != 0;
  vma->object = MappedObject(request.object);
  vma->offset = request.object != nullptr ? request.offset : 0;
  if (request.object != nullptr) {
    vma->kind = VmaKind::File;
  } else if (shared) {
    vma->kind = VmaKind::SharedAnonymous;
    vma->object = MappedObject(TRY(SharedMemory::create(length)));
  }
  if (vma->grows_down && vma->object != nullptr) {
    return fail(EINVAL);
  }
  return vma;
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
  Owned<Vma> vma = TRY(make_vma(request, start, length));
  TRY(check_limits(length, vma->is_data()));
  TRY(tree_.split(start));
  TRY(tree_.split(start + length));
  TRY(back(*vma, start, start + length));  // in place of what was there
  tree_.erase(start, start + length);
  tree_.insert(vma.release());
  return start;
}

/// Makes the host mapping of one piece of a VMA, beginning at `start`; returns its length.
Result<std::uint64_t> AddressSpace::back_piece(Vma& vma, UserAddress start, UserAddress end) {
  const std::uint64_t offset = vma.offset + (start - vma.start);
  const bool writable = (vma.max_protection & PROT_WRITE) != 0;
  const MapUse use = !vma.shared ? MapUse::Private
                     : writable  ? MapUse::SharedWrite
                                 : MapUse::SharedRead;
  const Result<aspace::Backing> backing = vma.object->backing(offset, end - start, use);
  const bool may_copy = use != MapUse::SharedWrite && start == vma.start && end == vma.end;
  if (backing) {
    const std::uint64_t length = std::min(backing->length, end - start);
    const auto sharing = vma.shared ? aspace::Sharing::Shared : aspace::Sharing::Private;
    const Result<void> mapped = aspace::map_file(start, length, vma.protection, *backing, sharing);
    // EPERM: the host's mount is noexec though ours is not; text can still be a copy.
    if (mapped) {
      return length;
    }
    if (to_int(mapped.error()) != EPERM || !may_copy) {
      return tl::unexpected(mapped.error());
    }
  } else if (to_int(backing.error()) != ENODEV || !may_copy) {
    return tl::unexpected(backing.error());
  }
  TRY(copy_in_file(vma, start, end));
  vma.copied = true;
  return end - start;
}

/// Makes the host mappings of a part of a VMA that is not in the tree, in place of what is there,
/// whose edges have been split: one, or as many as its object has pieces. A refusal with the first
/// piece changes nothing; later the range ends up unmapped.
Result<void> AddressSpace::back(Vma& vma, UserAddress start, UserAddress end) {
  if (vma.object == nullptr) {
    return aspace::map_anon(start, end - start, vma.protection);
  }
  for (UserAddress at = start; at < end;) {
    const Result<std::uint64_t> length = back_piece(vma, at, end);
    if (!length) {
      if (at != start) {
        (void)aspace::unmap(start, end - start);  // the first error counts
        tree_.erase(start, end);
      }
      return tl::unexpected(length.error());
    }
    at += *length;
  }
  return {};
}

/// An anonymous copy in place of a mapping. What lies behind the file's end faults as it would.
Result<void> AddressSpace::copy_in_file(const Vma& vma, UserAddress start, UserAddress end) {
  TRY(aspace::map_anon(start, end - start, PROT_READ | PROT_WRITE));
  const std::uint64_t offset = vma.offset + (start - vma.start);
  const Result<std::uint64_t> copied = vma.object->copy_out_to(start, offset, end - start);
  Result<void> done = copied ? Result<void>{} : tl::unexpected(copied.error());
  if (done && vma.protection != (PROT_READ | PROT_WRITE)) {
    done = aspace::protect(start, end - start, vma.protection);
  }
  const UserAddress behind = start + (copied ? align_up(*copied, kPageSize) : 0);
  if (done && behind < end) {
    done = aspace::map_file(behind, end - behind, vma.protection,
                            {.kind = aspace::Backing::Kind::BeyondEnd}, aspace::Sharing::Private);
  }
  if (!done) {
    (void)aspace::unmap(start, end - start);  // ours alone; the first error counts
    tree_.erase(start, end);
  }
  return done;
}

Result<void> AddressSpace::unmap(UserAddress start, std::uint64_t length) {
  if (length == 0) {
    return fail(EINVAL);
  }
  const UserRange range = TRY(user_range(start, length, EINVAL));
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

Result<void> AddressSpace::detach_segment(UserAddress start) {
  const Mutex::Guard guard(lock_);
  // What is left of it may begin behind `start`, as on Linux.
  const auto shows = [start](const Vma& vma) {
    return vma.object != nullptr && vma.object->as_segment() != nullptr &&
           vma.start - start == vma.offset;
  };
  auto at = tree_.first_ending_above(start);
  while (at != tree_.end() && !shows(*at)) {
    ++at;
  }
  if (!is_aligned(start, kPageSize) || at == tree_.end()) {
    return fail(EINVAL);
  }
  const Ref<MapObject> segment = at->object.ref();
  while (at != tree_.end()) {
    const Vma& vma = *at++;
    if (vma.object.ref() == segment && shows(vma)) {
      TRY(unmap_locked(vma.start, vma.end));
    }
  }
  return {};
}

Result<void> AddressSpace::require_mapped(UserAddress start, std::uint64_t length) {
  const UserRange range = TRY(user_range(start, length, ENOMEM));
  const Mutex::Guard guard(lock_);
  return for_each_part(range.start, range.end,
                       [](Vma&, UserAddress, UserAddress) { return Result<void>{}; });
}

Result<void> AddressSpace::protect(UserAddress start, std::uint64_t length,
                                   std::uint32_t protection) {
  const UserRange range = TRY(user_range(start, length, ENOMEM));
  const Mutex::Guard guard(lock_);
  UserAddress from = range.start;
  if ((protection & PROT_GROWSDOWN) != 0) {
    const auto at = tree_.first_ending_above(from);
    if (at == tree_.end() || at->start >= range.end) {
      return fail(ENOMEM);
    }
    if (!at->grows_down) {
      return fail(EINVAL);
    }
    from = at->start;
  }
  return protect_locked(from, range.end, protection & ~std::uint32_t{PROT_GROWSDOWN});
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
      const bool becomes_data =
          !vma->is_data() && !vma->shared && !vma->grows_down && (protection & PROT_WRITE) != 0;
      const bool splits = vma->start < start || vma->end > part_end;
      if (splits || becomes_data) {
        TRY(check_limits(0, false));
      }
      if (becomes_data &&
          exceeds(tree_.data_bytes(), part_end - start, limits_[RLIMIT_DATA].soft)) {
        return fail(ENOMEM);
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
    // Linux keeps one page, or the guard gap of a stack, free above the break.
    const auto next = tree_.first_ending_above(old_end);
    if (next != tree_.end()) {
      const std::uint64_t gap = next->grows_down ? kStackGuardGap : 0;
      if (new_end + kPageSize > next->start - std::min(gap, next->start)) {
        return heap_end_;
      }
    }
    MapRequest request;
    request.address = old_end;
    request.length = new_end - old_end;
    request.protection = PROT_READ | PROT_WRITE;
    request.flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;
    if (!map_locked(request)) {
      return heap_end_;
    }
    if (lock_future_) {
      populate(old_end, new_end);
    }
  }
  heap_end_ = wanted;
  return heap_end_;
}

Result<SharedPlace> AddressSpace::find_shared_place(UserAddress address) {
  const Mutex::Guard guard(lock_);
  const Vma* const vma = tree_.find(address);
  if (vma == nullptr) {
    return fail(ENOMEM);
  }
  if (!vma->shared) {
    return SharedPlace{};
  }
  return SharedPlace{vma->object.ref(), vma->offset + (address - vma->start)};
}

Result<MappingInfo> AddressSpace::find(UserAddress address) {
  const Mutex::Guard guard(lock_);
  const Vma* const vma = tree_.find(address);
  if (vma == nullptr) {
    return fail(ENOMEM);
  }
  return MappingInfo{.start = vma->start,
                     .end = vma->end,
                     .protection = vma->protection,
                     .shared = vma->shared,
                     .object = vma->object.ref().get(),
                     .offset = vma->offset};
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
  file_windows_.reset();
  const Mutex::Guard guard(lock_);
  if (tree_.begin() != tree_.end()) {
    TRY(aspace::unmap(abi::kUserBase, abi::kUserEnd - abi::kUserBase));
    tree_.clear();
  }
  layout_ = layout;
  heap_start_ = heap_end_ = 0;
  lock_future_ = false;
  return {};
}

void AddressSpace::set_heap_start(UserAddress start) {
  const Mutex::Guard guard(lock_);
  heap_start_ = heap_end_ = start;
}

}  // namespace runhl::kernel
