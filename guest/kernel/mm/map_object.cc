// SPDX-License-Identifier: Apache-2.0
#include "mm/map_object.h"

#include <cstring>
#include <new>

#include "mm/heap.h"
#include "runhl/abi/layout.h"

namespace runhl::kernel {

Result<void> MapObject::copy_out_to(UserAddress /*to*/, std::uint64_t /*offset*/,
                                    std::uint64_t /*length*/) {
  return fail(ENODEV);
}

Result<Ref<SharedMemory>> SharedMemory::create(std::uint64_t size) {
  void* memory = heap_allocate(size);
  if (memory == nullptr) {
    return fail(ENOMEM);
  }
  auto* object = new (std::nothrow) SharedMemory(memory, size);
  if (object == nullptr) {
    heap_free(memory, size);
    return fail(ENOMEM);
  }
  std::memset(memory, 0, size);
  return Ref<SharedMemory>(object);
}

SharedMemory::~SharedMemory() {
  heap_free(memory_, size_);
}

Result<aspace::Backing> SharedMemory::backing(std::uint64_t offset, std::uint64_t length,
                                              MapUse /*use*/) {
  if (offset > size_ || length > size_ - offset) {
    return fail(EINVAL);  // Linux lets a mapping grow past the object and faults; we refuse
  }
  // SAFETY: heap memory lies in the kernel memfd, so its address names the place in the file.
  const auto address = reinterpret_cast<std::uint64_t>(memory_) + offset;
  return aspace::Backing{.kind = aspace::Backing::Kind::KernelMemory,
                         .slot = -1,
                         .offset = abi::memfd_offset(address)};
}

}  // namespace runhl::kernel
