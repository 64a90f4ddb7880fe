// SPDX-License-Identifier: Apache-2.0
// Shared ownership of kernel objects: the count is inside the object.
//
//   class Node : public RefCounted<Node> { public: virtual ~Node() = default; };
//   const Ref<Node> node = TRY(make_ref<TmpfsNode>(...));
#pragma once

#include <atomic>
#include <boost/smart_ptr/intrusive_ptr.hpp>
#include <boost/smart_ptr/intrusive_ref_counter.hpp>
#include <cstdint>
#include <new>
#include <utility>

#include "core/result.h"

namespace runhl::kernel {

template <typename T>
using RefCounted = boost::intrusive_ref_counter<T, boost::thread_safe_counter>;

template <typename T>
using Ref = boost::intrusive_ptr<T>;

/// Counted as RefCounted is, for objects that others know without keeping them alive: those let go
/// of it in on_last_release(), and make a reference of their own by try_reference() meanwhile.
class CountedObject {
 public:
  CountedObject() = default;
  CountedObject(const CountedObject&) = delete;
  CountedObject& operator=(const CountedObject&) = delete;
  virtual ~CountedObject() = default;

  /// Null: the last reference has gone, the object is about to die.
  template <typename T>
  static Ref<T> try_reference(T* object) {
    std::uint32_t count = object->references_.load(std::memory_order_relaxed);
    while (count != 0) {
      if (object->references_.compare_exchange_weak(count, count + 1, std::memory_order_acq_rel)) {
        return Ref<T>(object, false);
      }
    }
    return nullptr;
  }

 protected:
  /// Still whole, but no longer to be referred to; no lock of a descriptor table is held.
  virtual void on_last_release() {}

 private:
  mutable std::atomic<std::uint32_t> references_{0};

  friend void intrusive_ptr_add_ref(const CountedObject* object) {
    object->references_.fetch_add(1, std::memory_order_relaxed);
  }
  friend void intrusive_ptr_release(const CountedObject* object) {
    if (object->references_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
      auto* const last = const_cast<CountedObject*>(object);
      last->on_last_release();
      delete last;
    }
  }
};

template <typename T, typename... Args>
Result<Ref<T>> make_ref(Args&&... args) {
  T* object = new (std::nothrow) T(std::forward<Args>(args)...);
  if (object == nullptr) {
    return fail(ENOMEM);
  }
  return Ref<T>(object);
}

}  // namespace runhl::kernel
