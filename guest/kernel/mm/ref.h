// SPDX-License-Identifier: Apache-2.0
// Shared ownership of kernel objects: the count is inside the object.
//
//   class Node : public RefCounted<Node> { public: virtual ~Node() = default; };
//   const Ref<Node> node = TRY(make_ref<TmpfsNode>(...));
#pragma once

#include <boost/smart_ptr/intrusive_ptr.hpp>
#include <boost/smart_ptr/intrusive_ref_counter.hpp>
#include <new>
#include <utility>

#include "core/result.h"

namespace runhl::kernel {

template <typename T>
using RefCounted = boost::intrusive_ref_counter<T, boost::thread_safe_counter>;

template <typename T>
using Ref = boost::intrusive_ptr<T>;

template <typename T, typename... Args>
Result<Ref<T>> make_ref(Args&&... args) {
  T* object = new (std::nothrow) T(std::forward<Args>(args)...);
  if (object == nullptr) {
    return fail(ENOMEM);
  }
  return Ref<T>(object);
}

}  // namespace runhl::kernel
