// SPDX-License-Identifier: Apache-2.0
// mremap(2) and remap_file_pages(2). The order of the tests is Linux's.
#include <linux/mman.h>
#include <sys/mman.h>

#include <algorithm>

#include "mm/address_space.h"
#include "mm/aspace.h"
#include "runhl/abi/layout.h"

namespace runhl::kernel {
namespace {

constexpr std::uint32_t kKnownFlags = MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP;

Result<void> check_flags(const RemapRequest& request) {
  const bool may_move = (request.flags & MREMAP_MAYMOVE) != 0;
  const bool keeps = (request.flags & MREMAP_DONTUNMAP) != 0;
  if ((request.flags & ~kKnownFlags) != 0 ||
      ((request.flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) != 0 && !may_move) ||
      (keeps && request.old_length != request.new_length) ||
      !is_aligned(request.address, kPageSize) || request.new_length == 0) {
    return fail(EINVAL);
  }
  return {};
}

/// A new address is one, and no part of what moves there.
Result<void> check_target(const RemapRequest& request) {
  const UserRange range = TRY(user_range(request.new_address, request.new_length, EINVAL));
  const bool overlaps =
      range.start < request.address + request.old_length && request.address < range.end;
  return overlaps ? fail(EINVAL) : Result<void>{};
}

/// Moves pages without changing their number. The host may have cut a mapping of ours in several
/// (it merges less after a fork) and moves only one at a time: then by halves.
Result<void> move_halves(UserAddress from, std::uint64_t length, UserAddress to) {
  const Result<void> moved = aspace::move(from, length, to, length);
  if (moved || to_int(moved.error()) != EFAULT || length <= kPageSize) {
    return moved;
  }
  const std::uint64_t half = align_down(length / 2, kPageSize);
  TRY(move_halves(from, half, to));
  return move_halves(from + half, length - half, to + half);
}

}  // namespace

Result<UserAddress> AddressSpace::remap(const RemapRequest& request) {
  RemapRequest exact = request;
  exact.old_length = align_up(request.old_length, kPageSize);
  exact.new_length = align_up(request.new_length, kPageSize);
  TRY(check_flags(exact));
  if (request.new_length > abi::kUserEnd) {
    return fail((request.flags & MREMAP_FIXED) != 0 ? EINVAL : ENOMEM);
  }
  const bool to_address = (request.flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) != 0;
  if (to_address) {
    TRY(check_target(exact));
  }
  const Mutex::Guard guard(lock_);
  if (tree_.find(request.address) == nullptr) {
    return fail(EFAULT);
  }
  if (request.old_length > abi::kUserEnd - request.address) {
    return fail(EFAULT);
  }
  const bool moves_only = exact.old_length == exact.new_length &&
                          (request.flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) == MREMAP_FIXED;
  if (moves_only) {
    return remap_each(exact);
  }
  if (to_address) {
    return remap_fixed(exact);
  }
  if (exact.old_length == exact.new_length) {
    return request.address;
  }
  if (exact.old_length > exact.new_length) {  // shrinking unmaps, over any number of mappings
    TRY(unmap_locked(request.address + exact.new_length, request.address + exact.old_length));
    return request.address;
  }
  return remap_anywhere(exact);
}

/// What is to be moved is one mapping; of a private one there is something to move.
Result<void> AddressSpace::check_source(const RemapRequest& request) {
  const Vma* const vma = tree_.find(request.address);
  if (request.old_length == 0 && !vma->shared) {
    return fail(EINVAL);
  }
  const std::uint64_t moved = std::min(request.old_length, request.new_length);
  return vma->end - request.address < moved ? fail(EFAULT) : Result<void>();
}

/// A move without a change of size takes all mappings of the range along, and the holes between
/// them, where the target stays as it is.
Result<UserAddress> AddressSpace::remap_each(const RemapRequest& request) {
  const UserAddress end = request.address + request.old_length;
  for (UserAddress at = request.address; at < end;) {
    const auto vma = tree_.first_ending_above(at);
    if (vma == tree_.end() || vma->start >= end) {
      break;
    }
    RemapRequest part = request;
    part.address = std::max(vma->start, at);
    part.old_length = part.new_length = std::min(vma->end, end) - part.address;
    part.new_address = request.new_address + (part.address - request.address);
    at = part.address + part.old_length;
    TRY(remap_fixed(part));
  }
  return request.new_address;
}

/// MREMAP_FIXED; MREMAP_DONTUNMAP, for which the new address is a hint.
Result<UserAddress> AddressSpace::remap_fixed(RemapRequest request) {
  const bool fixed = (request.flags & MREMAP_FIXED) != 0;
  const UserRange range = TRY(user_range(request.new_address, request.new_length, EINVAL));
  TRY(check_source(request));  // before the target goes
  if (fixed) {
    if (range.start < abi::kUserBase) {
      return fail(EPERM);
    }
    TRY(unmap_locked(range.start, range.end));
  }
  if (request.old_length > request.new_length) {
    TRY(unmap_locked(request.address + request.new_length, request.address + request.old_length));
    request.old_length = request.new_length;
  }
  const Vma* const vma = tree_.find(request.address);
  if (vma == nullptr || vma->end < request.address + request.old_length) {
    return fail(EFAULT);
  }
  if (request.old_length < request.new_length) {
    TRY(check_limits(request.new_length - request.old_length, vma->is_data()));
  } else if ((request.flags & MREMAP_DONTUNMAP) != 0) {
    TRY(check_limits(request.new_length, vma->is_data()));
  }
  MapRequest place_request;
  place_request.address = request.new_address;
  const UserAddress to = fixed ? range.start : TRY(place(place_request, request.new_length));
  return move_locked(request, to);
}

Result<UserAddress> AddressSpace::remap_anywhere(const RemapRequest& request) {
  Vma* const vma = tree_.find(request.address);
  if (request.old_length == 0 && !vma->shared) {
    return fail(EINVAL);
  }
  if (vma->end < request.address + request.old_length) {
    return fail(EFAULT);
  }
  return grow_locked(*vma, request);
}

bool AddressSpace::extend_in_place(Vma& vma, UserAddress end) {
  if (end > abi::kUserEnd || end < vma.end || vma.grows_down || vma.copied ||
      !tree_.is_free(vma.end, end) || !check_limits(end - vma.end, vma.is_data())) {
    return false;
  }
  Vma piece;
  static_cast<VmaFlags&>(piece) = vma.flags();
  piece.start = vma.end;
  piece.end = end;
  piece.protection = vma.protection;
  piece.max_protection = vma.max_protection;
  piece.kind = vma.kind;
  piece.object = vma.object;
  piece.offset = vma.object != nullptr ? vma.offset + vma.size() : 0;
  if (!back(piece, piece.start, piece.end)) {
    return false;
  }
  tree_.extend(vma, end);
  if (piece.locked) {
    (void)populate(piece.start, piece.end);  // what the host has no memory for faults later
  }
  return true;
}

Result<UserAddress> AddressSpace::grow_locked(Vma& vma, const RemapRequest& request) {
  TRY(check_limits(request.new_length - request.old_length, vma.is_data()));
  if (request.old_length != 0 && vma.end == request.address + request.old_length &&
      extend_in_place(vma, request.address + request.new_length)) {
    return request.address;
  }
  if ((request.flags & MREMAP_MAYMOVE) == 0) {
    return fail(ENOMEM);
  }
  const UserAddress to = TRY(find_free(request.new_length));
  return move_locked(request, to);
}

/// The old length is 0: a second mapping of the same shared pages.
Result<UserAddress> AddressSpace::map_again(const Vma& vma, const RemapRequest& request) {
  if (!vma.shared) {
    return fail(EINVAL);
  }
  MapRequest again;
  again.address = request.new_address;
  again.length = request.new_length;
  again.protection = vma.protection;
  again.flags = MAP_SHARED | (request.new_address != 0 ? std::uint32_t{MAP_FIXED} : 0U);
  again.object = vma.object.ref();
  again.offset = vma.offset + (request.address - vma.start);
  again.max_protection = vma.max_protection;
  const VmaKind kind = vma.kind;
  const UserAddress at = TRY(map_locked(again));
  if (kind == VmaKind::SharedAnonymous) {
    TRY(mark(at, at + request.new_length, [](Vma& made) { made.kind = VmaKind::SharedAnonymous; }));
  }
  return at;
}

/// The host's side of a move to a free place; what is new at the end is mapped afresh.
Result<void> AddressSpace::move_pages(const Vma& vma, const RemapRequest& request, UserAddress to) {
  if (vma.object == nullptr || request.old_length == request.new_length) {
    const Result<void> moved =
        aspace::move(request.address, request.old_length, to, request.new_length);
    if (moved || to_int(moved.error()) != EFAULT) {
      return moved;
    }
  }
  TRY(move_halves(request.address, request.old_length, to));
  if (request.new_length == request.old_length) {
    return {};
  }
  Vma tail;
  static_cast<VmaFlags&>(tail) = vma.flags();
  tail.start = to + request.old_length;
  tail.end = to + request.new_length;
  tail.protection = vma.protection;
  tail.max_protection = vma.max_protection;
  tail.object = vma.object;
  tail.offset = vma.object != nullptr ? vma.offset + request.old_length : 0;
  return back(tail, tail.start, tail.end);
}

Result<UserAddress> AddressSpace::move_locked(const RemapRequest& request, UserAddress to) {
  if (request.old_length == 0) {
    RemapRequest again = request;
    again.new_address = to;
    return map_again(*tree_.find(request.address), again);
  }
  const UserAddress end = request.address + request.old_length;
  TRY(tree_.split(request.address));
  TRY(tree_.split(end));
  Vma* const vma = tree_.find(request.address);
  Owned<Vma> left;
  if ((request.flags & MREMAP_DONTUNMAP) != 0) {
    left = TRY(make<Vma>(*vma));
    left->locked = false;
  }
  TRY(move_pages(*vma, request, to));
  const bool locked = vma->locked;
  tree_.relocate(*vma, to, to + request.new_length);
  if (left != nullptr) {
    TRY(back(*left, left->start, left->end));  // fresh pages, or the object's
    tree_.insert(left.release());
  }
  if (locked) {
    populate(to, to + request.new_length);
  }
  return to;
}

Result<void> AddressSpace::remap_file_pages(UserAddress start, std::uint64_t length,
                                            std::uint64_t page) {
  const UserAddress first = align_down(start, kPageSize);
  const UserRange range = TRY(user_range(first, align_down(length, kPageSize), EINVAL));
  if (range.start == range.end || page > (~0ULL / kPageSize) - (range.end - range.start)) {
    return fail(EINVAL);
  }
  const Mutex::Guard guard(lock_);
  const Vma* const vma = tree_.find(range.start);
  if (vma == nullptr || !vma->shared || vma->end < range.end) {
    return fail(EINVAL);
  }
  MapRequest request;
  request.address = range.start;
  request.length = range.end - range.start;
  request.protection = vma->protection;
  request.flags = MAP_SHARED | MAP_FIXED;
  request.object = vma->object.ref();
  request.offset = page * kPageSize;
  request.max_protection = vma->max_protection;
  TRY(map_locked(request));
  return {};
}

}  // namespace runhl::kernel
