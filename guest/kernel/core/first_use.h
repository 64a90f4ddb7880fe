// SPDX-License-Identifier: Apache-2.0
// A container in the kernel's static memory. That memory holds constants alone at boot, and most
// containers are none: this one is made when it is first asked for, and never dies.
//
//   constinit SpinLock g_names_lock{LockRank::Pipe};
//   constinit FirstUse<Names> g_names;               // guarded by g_names_lock
//   ...
//   const SpinLock::Guard guard(g_names_lock);
//   g_names->add(name);
#pragma once

#include <cstddef>
#include <new>

namespace runhl::kernel {

/// Its user holds the lock that guards it.
template <typename T>
class FirstUse {
 public:
  T& operator*() {
    if (made_ == nullptr) {
      made_ = new (memory_) T;
    }
    return *made_;
  }
  T* operator->() { return &**this; }

 private:
  alignas(T) std::byte memory_[sizeof(T)]{};
  T* made_ = nullptr;
};

}  // namespace runhl::kernel
