// SPDX-License-Identifier: Apache-2.0
// Kernel memory: size-class caches over page runs of the heap window. Out of memory is a null
// pointer, turned into ENOMEM by make<T>().
//
//   auto file = TRY(make<File>(inode, flags));   // Result<Owned<File>>
#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <utility>

#include "core/result.h"

namespace runhl::kernel {

/// 16-byte aligned; page-aligned from 4096 bytes on. Not zeroed.
[[nodiscard]] void* heap_allocate(std::size_t size);
/// Many whole pages go back to the host at once, fewer after a second.
void heap_free(void* memory, std::size_t size);
/// Whole pages of allocations of at least a page, in any pieces.
void heap_free_pages(void* first, std::size_t pages);
/// Whole pages that read as zeroes. Large runs are not touched: the host gives their pages as they
/// are used.
[[nodiscard]] void* heap_allocate_zeroed(std::size_t size);
/// Clears heap memory; where that is much, its pages go back to the host instead of being touched.
void heap_zero(void* memory, std::size_t size);

/// Deletes with the size of T: only for final types or types with a virtual destructor that were
/// made by make<>().
template <typename T>
using Owned = std::unique_ptr<T>;  // operator new/delete of the kernel are the heap's

template <typename T, typename... Args>
Result<Owned<T>> make(Args&&... args) {
  T* object = new (std::nothrow) T(std::forward<Args>(args)...);
  if (object == nullptr) {
    return fail(ENOMEM);
  }
  return Owned<T>(object);
}

}  // namespace runhl::kernel
