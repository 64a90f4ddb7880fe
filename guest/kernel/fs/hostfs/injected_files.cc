// SPDX-License-Identifier: Apache-2.0
#include "fs/hostfs/injected_files.h"

#include <memory>

#include "host/host_call.h"

namespace runhl::kernel {

/// A free one, else one that was never used, else the one that was not used for longest.
InjectedFiles::Slot& InjectedFiles::take_oldest() {
  const bool none_free = by_use_.empty() || by_use_.front().handle >= 0;
  if (none_free && begun_ < kCount) {
    by_use_.push_front(*std::construct_at(&slots_[begun_++]));
  }
  Slot& slot = by_use_.front();
  slot.handle = -1;
  touch(slot);
  return slot;
}

void InjectedFiles::touch(Slot& slot) {
  by_use_.splice(by_use_.end(), by_use_, by_use_.iterator_to(slot));
}

Result<int> InjectedFiles::slot_for(abi::Handle handle, bool writable) {
  const Mutex::Guard guard(lock_);
  for (auto at = by_use_.rbegin(); at != by_use_.rend() && at->handle >= 0; ++at) {
    if (at->handle == handle && at->writable == writable) {
      Slot& slot = *at;
      touch(slot);
      return number_of(slot);
    }
  }
  Slot& slot = take_oldest();
  HostRequest request = TRY(HostRequest::acquire());
  request.slot().op = abi::HostOp::Inject;
  request.slot().handle = handle;
  request.slot().slot = number_of(slot);
  request.slot().flags = writable ? abi::kInjectWritable : 0;
  TRY(request.call());
  slot.handle = handle;
  slot.writable = writable;
  return number_of(slot);
}

int InjectedFiles::reserve() {
  const Mutex::Guard guard(lock_);
  return number_of(take_oldest());
}

void InjectedFiles::adopt(int slot, abi::Handle handle) {
  const Mutex::Guard guard(lock_);
  Slot& entry = slots_[static_cast<std::size_t>(slot - abi::kFdInjectedFirst)];
  entry.handle = handle;
  entry.writable = false;
}

void InjectedFiles::give_back(int slot) {
  const Mutex::Guard guard(lock_);
  Slot& entry = slots_[static_cast<std::size_t>(slot - abi::kFdInjectedFirst)];
  entry.handle = -1;
  by_use_.splice(by_use_.begin(), by_use_, by_use_.iterator_to(entry));
}

void InjectedFiles::forget(abi::Handle handle) {
  const Mutex::Guard guard(lock_);
  for (auto at = by_use_.begin(); at != by_use_.end();) {
    Slot& slot = *at++;
    if (slot.handle == handle) {
      slot.handle = -1;
      by_use_.splice(by_use_.begin(), by_use_, by_use_.iterator_to(slot));
    }
  }
}

}  // namespace runhl::kernel
