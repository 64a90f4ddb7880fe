// SPDX-License-Identifier: Apache-2.0
// Copies of an address space's map: for a forked child, and for those who want to read it.
#include <new>

#include "mm/address_space.h"
#include "mm/aspace.h"

namespace runhl::kernel {

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
  out.flags = vma.flags();
  out.object = vma.object.ref();
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
  child->tree_.change(0, abi::kUserEnd, [](Vma& vma) {
    vma.locked = false;  // Linux: memory locks are not inherited
  });
  child->layout_ = layout_;
  child->heap_start_ = heap_start_;
  child->heap_end_ = heap_end_;
  child->cuts_seen_ = cuts_seen_;
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

}  // namespace runhl::kernel
