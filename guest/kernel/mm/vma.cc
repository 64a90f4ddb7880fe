// SPDX-License-Identifier: Apache-2.0
#include "mm/vma.h"

#include <sys/mman.h>

#include <algorithm>
#include <new>

#include "core/panic.h"
#include "runhl/abi/layout.h"

namespace runhl::kernel {

bool Vma::is_data() const {
  return !shared && (protection & PROT_WRITE) != 0 && !grows_down;
}

void Vma::set_protection(std::uint32_t wanted) {
  protection = wanted;
  accounted = accounted || (!shared && !no_reserve && (wanted & PROT_WRITE) != 0);
}

bool Vma::continues_in(const Vma& next) const {
  if (end != next.start || protection != next.protection || max_protection != next.max_protection ||
      kind != next.kind || flags() != next.flags() || object != next.object ||
      kind == VmaKind::Special) {
    return false;
  }
  return object == nullptr || offset + size() == next.offset;
}

Vma* VmaTree::find(UserAddress address) {
  const auto at = first_ending_above(address);
  return at != set_.end() && at->start <= address ? &*at : nullptr;
}

VmaTree::iterator VmaTree::first_ending_above(UserAddress address) {
  auto at = set_.upper_bound(address, VmaStartLess{});
  if (at != set_.begin()) {
    auto before = at;
    --before;
    if (before->end > address) {
      return before;
    }
  }
  return at;
}

bool VmaTree::is_free(UserAddress start, UserAddress end) {
  const auto at = first_ending_above(start);
  return at == set_.end() || at->start >= end;
}

void VmaTree::account(const Vma& vma) {
  total_bytes_ += vma.size();
  data_bytes_ += vma.is_data() ? vma.size() : 0;
  locked_bytes_ += vma.locked ? vma.size() : 0;
}

void VmaTree::discount(const Vma& vma) {
  total_bytes_ -= vma.size();
  data_bytes_ -= vma.is_data() ? vma.size() : 0;
  locked_bytes_ -= vma.locked ? vma.size() : 0;
}

void VmaTree::insert(Vma* vma) {
  KERNEL_CHECK(vma->start < vma->end && is_free(vma->start, vma->end));
  account(*vma);
  const UserAddress start = vma->start;
  const UserAddress end = vma->end;
  set_.insert(*vma);
  merge_around(start, end);
}

Result<void> VmaTree::split(UserAddress at) {
  Vma* low = find(at);
  if (low == nullptr || low->start == at) {
    return {};
  }
  auto* high = new (std::nothrow) Vma(*low);
  if (high == nullptr) {
    return fail(ENOMEM);
  }
  high->start = at;
  high->offset += high->object != nullptr ? at - low->start : 0;
  low->end = at;
  set_.insert(*high);
  return {};
}

void VmaTree::erase(UserAddress start, UserAddress end) {
  auto at = first_ending_above(start);
  while (at != set_.end() && at->start < end) {
    KERNEL_CHECK(at->start >= start && at->end <= end);
    discount(*at);
    at = set_.erase_and_dispose(at, [](Vma* vma) { delete vma; });
  }
}

void VmaTree::set_protection(UserAddress start, UserAddress end, std::uint32_t protection) {
  for (auto at = first_ending_above(start); at != set_.end() && at->start < end; ++at) {
    KERNEL_CHECK(at->start >= start && at->end <= end);
    discount(*at);
    at->set_protection(protection);
    account(*at);
  }
  merge_around(start, end);
}

Result<void> VmaTree::copy_from(const VmaTree& other) {
  KERNEL_CHECK(set_.empty());
  for (const Vma& vma : other.set_) {
    auto* const copy = new (std::nothrow) Vma(vma);
    if (copy == nullptr) {
      clear();
      return fail(ENOMEM);
    }
    set_.push_back(*copy);
  }
  total_bytes_ = other.total_bytes_;
  data_bytes_ = other.data_bytes_;
  locked_bytes_ = other.locked_bytes_;
  return {};
}

void VmaTree::relocate(Vma& vma, UserAddress start, UserAddress end) {
  discount(vma);
  set_.erase(set_.iterator_to(vma));
  vma.start = start;
  vma.end = end;
  insert(&vma);
}

void VmaTree::extend(Vma& vma, UserAddress end) {
  discount(vma);
  vma.end = end;
  account(vma);
  merge_around(vma.start, end);
}

void VmaTree::extend_down(Vma& vma, UserAddress start) {
  discount(vma);
  vma.start = start;  // the order of the tree stays: what lies before it ends at or below start
  account(vma);
}

VmaTree::iterator VmaTree::merge_with_next(iterator at) {
  auto next = at;
  ++next;
  if (next == set_.end() || !at->continues_in(*next)) {
    return next;
  }
  at->end = next->end;  // the sums stay as they are
  set_.erase_and_dispose(next, [](Vma* vma) { delete vma; });
  return at;
}

void VmaTree::merge_around(UserAddress start, UserAddress end) {
  auto at = first_ending_above(start == 0 ? 0 : start - 1);
  while (at != set_.end() && at->start <= end) {
    at = merge_with_next(at);
  }
}

void VmaTree::clear() {
  set_.clear_and_dispose([](Vma* vma) { delete vma; });
  total_bytes_ = data_bytes_ = locked_bytes_ = 0;
}

UserAddress VmaTree::highest_gap(UserAddress bottom, UserAddress top, std::uint64_t length) {
  UserAddress end = top;
  auto at = set_.lower_bound(top, VmaStartLess{});
  while (at != set_.begin()) {
    --at;
    if (end < bottom || end - bottom < length) {
      return 0;
    }
    if (at->end <= end && end - at->end >= length && end - length >= bottom) {
      return end - length;
    }
    const std::uint64_t gap = at->grows_down ? kStackGuardGap : 0;
    end = std::min(end, at->start - std::min(gap, at->start));
  }
  return end >= bottom && end - bottom >= length ? end - length : 0;
}

UserAddress VmaTree::nearest_gap(UserAddress near, std::uint64_t reach, std::uint64_t length) {
  const UserAddress lowest = near > abi::kUserBase + reach ? near - reach : abi::kUserBase;
  const UserAddress below = highest_gap(lowest, near, length);
  const UserAddress highest = std::min(near + reach, abi::kUserEnd);
  UserAddress start = near;
  for (auto at = first_ending_above(near); at != set_.end() && at->start < highest; ++at) {
    if (at->start > start && at->start - start >= length) {
      break;
    }
    start = at->end;
  }
  const bool found_above = start <= highest && highest - start >= length;
  if (!found_above) {
    return below;
  }
  return below != 0 && near - below <= start - near ? below : start;
}

}  // namespace runhl::kernel
