// SPDX-License-Identifier: Apache-2.0
// What this folder asks of Linux: to open the device, and ioctls. A fake of it (recording_kvm.h)
// tests the rest without a /dev/kvm. Descriptors are real ones on both, and so are mappings.
#pragma once

#include <cstdint>
#include <string>

#include "runhl/base/result.h"
#include "runhl/base/unique_fd.h"
#include "runhl/vmm/kvm/linux_kvm.h"  // the real one

namespace runhl::vmm::kvm {

class KvmCalls {
 public:
  KvmCalls() = default;
  virtual ~KvmCalls() = default;
  KvmCalls(const KvmCalls&) = delete;
  KvmCalls& operator=(const KvmCalls&) = delete;
  KvmCalls(KvmCalls&&) = delete;
  KvmCalls& operator=(KvmCalls&&) = delete;

  // A failed call is -errno.
  virtual int open_device() = 0;
  virtual int control(int fd, unsigned long request, std::uintptr_t argument) = 0;
};

/// "KVM_CREATE_VM"
std::string request_name(unsigned long request);
/// Hypervisor, with the number: "KVM_CREATE_VM: Cannot allocate memory".
tl::unexpected<Error> request_failed(unsigned long request, int os_errno);

// An ioctl that is to succeed; interrupted, it is made again.
Result<int> control(KvmCalls* kvm, const UniqueFd& fd, unsigned long request,
                    std::uintptr_t value = 0);
template <typename T>
Result<int> control(KvmCalls* kvm, const UniqueFd& fd, unsigned long request, T* argument) {
  // SAFETY: the request says what lies there.
  return control(kvm, fd, request, reinterpret_cast<std::uintptr_t>(argument));
}

}  // namespace runhl::vmm::kvm
