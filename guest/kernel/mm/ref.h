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

#include "core/parallel.h"
#include "core/result.h"

namespace runhl::kernel {

/// The count: a policy of intrusive_ref_counter, and CountedObject's.
struct ReferenceCount {
  using type = std::uint32_t;  // NOLINT(readability-identifier-naming): the policy's word
  static std::uint32_t load(const type& count) noexcept {
    return __atomic_load_n(&count, __ATOMIC_ACQUIRE);
  }
  static void increment(type& count) noexcept {
    if (parallel()) {
      __atomic_add_fetch(&count, 1, __ATOMIC_RELAXED);
    } else {
      ++count;
    }
  }
  static std::uint32_t decrement(type& count) noexcept {
    return parallel() ? __atomic_sub_fetch(&count, 1, __ATOMIC_ACQ_REL) : --count;
  }
};

template <typename T>
using RefCounted = boost::intrusive_ref_counter<T, ReferenceCount>;

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
    std::uint32_t count = ReferenceCount::load(object->references_);
    while (count != 0) {
      if (__atomic_compare_exchange_n(&object->references_, &count, count + 1, true,
                                      __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {
        return Ref<T>(object, false);
      }
    }
    return nullptr;
  }
  /// At this moment; others may be at work on it.
  [[nodiscard]] std::uint32_t reference_count() const { return ReferenceCount::load(references_); }

 protected:
  /// Still whole, but no longer to be referred to; no lock of a descriptor table is held.
  virtual void on_last_release() {}

 private:
  mutable ReferenceCount::type references_ = 0;

  friend void intrusive_ptr_add_ref(const CountedObject* object) {
    ReferenceCount::increment(object->references_);
  }
  friend void intrusive_ptr_release(const CountedObject* object) {
    if (ReferenceCount::decrement(object->references_) == 0) {
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
