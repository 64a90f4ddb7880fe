// SPDX-License-Identifier: Apache-2.0
#include "fs/injected_files.h"

#include <memory>

#include "fs/hostfs.h"
#include "host/host_call.h"

namespace runhl::kernel {

/// A free one, else one that was never used, else the one that was not used for longest.
InjectedFiles::Slot& InjectedFiles::take_oldest() {
  const bool none_free = by_use_.empty() || by_use_.front().node != nullptr;
  if (none_free && begun_ < kCount) {
    by_use_.push_front(*std::construct_at(&slots_[begun_++]));
  }
  Slot& slot = by_use_.front();
  slot.node = nullptr;
  touch(slot);
  return slot;
}

void InjectedFiles::touch(Slot& slot) {
  by_use_.splice(by_use_.end(), by_use_, by_use_.iterator_to(slot));
}

Result<int> InjectedFiles::slot_for(HostNode& node, bool writable) {
  const Mutex::Guard guard(lock_);
  for (auto at = by_use_.rbegin(); at != by_use_.rend() && at->node != nullptr; ++at) {
    if (at->node == &node && at->writable == writable) {
      Slot& slot = *at;
      touch(slot);
      return number_of(slot);
    }
  }
  Slot& slot = take_oldest();
  HostRequest request = TRY(HostRequest::acquire());
  request.slot().op = abi::HostOp::Inject;
  request.slot().handle = node.handle();
  request.slot().slot = number_of(slot);
  request.slot().flags = writable ? abi::kInjectWritable : 0;
  TRY(request.call());
  slot.node = &node;
  slot.writable = writable;
  return number_of(slot);
}

int InjectedFiles::reserve() {
  const Mutex::Guard guard(lock_);
  return number_of(take_oldest());
}

void InjectedFiles::adopt(int slot, HostNode& node) {
  const Mutex::Guard guard(lock_);
  Slot& entry = slots_[static_cast<std::size_t>(slot - abi::kFdInjectedFirst)];
  entry.node = &node;
  entry.writable = false;
}

void InjectedFiles::give_back(int slot) {
  const Mutex::Guard guard(lock_);
  Slot& entry = slots_[static_cast<std::size_t>(slot - abi::kFdInjectedFirst)];
  entry.node = nullptr;
  by_use_.splice(by_use_.begin(), by_use_, by_use_.iterator_to(entry));
}

void InjectedFiles::forget(const HostNode& node) {
  const Mutex::Guard guard(lock_);
  for (auto at = by_use_.begin(); at != by_use_.end();) {
    Slot& slot = *at++;
    if (slot.node == &node) {
      slot.node = nullptr;
      by_use_.splice(by_use_.begin(), by_use_, by_use_.iterator_to(slot));
    }
  }
}

}  // namespace runhl::kernel
