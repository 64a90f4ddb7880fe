// SPDX-License-Identifier: Apache-2.0
#include "kvm/kvm_calls.h"

#include <fcntl.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "runhl/vmm/kvm/kvm_abi.h"

namespace runhl::vmm::kvm {
namespace {

class LinuxKvm final : public KvmCalls {
 public:
  /// -1: it is opened.
  explicit LinuxKvm(int device = -1) : device_(device) {}
  int open_device() override {
    const int fd = device_ < 0 ? ::open(kDevicePath, O_RDWR | O_CLOEXEC)
                               : ::fcntl(device_, F_DUPFD_CLOEXEC, 0);
    return fd < 0 ? -errno : fd;
  }
  int control(int fd, unsigned long request, std::uintptr_t argument) override {
    const int result = ::ioctl(fd, request, argument);
    return result < 0 ? -errno : result;
  }

 private:
  int device_;
};

struct Name {
  unsigned long request;
  std::string_view text;
};
constexpr std::array kNames = {
    Name{KVM_GET_API_VERSION, "KVM_GET_API_VERSION"},
    Name{KVM_CREATE_VM, "KVM_CREATE_VM"},
    Name{KVM_CHECK_EXTENSION, "KVM_CHECK_EXTENSION"},
    Name{KVM_GET_VCPU_MMAP_SIZE, "KVM_GET_VCPU_MMAP_SIZE"},
    Name{KVM_GET_SUPPORTED_CPUID, "KVM_GET_SUPPORTED_CPUID"},
    Name{KVM_CREATE_VCPU, "KVM_CREATE_VCPU"},
    Name{KVM_SET_USER_MEMORY_REGION, "KVM_SET_USER_MEMORY_REGION"},
    Name{KVM_RUN, "KVM_RUN"},
    Name{KVM_GET_SREGS, "KVM_GET_SREGS"},
    Name{KVM_SET_SREGS, "KVM_SET_SREGS"},
    Name{KVM_SET_CPUID2, "KVM_SET_CPUID2"},
    Name{KVM_GET_MSRS, "KVM_GET_MSRS"},
    Name{KVM_SET_MSRS, "KVM_SET_MSRS"},
    Name{KVM_GET_XSAVE, "KVM_GET_XSAVE"},
    Name{KVM_SET_XSAVE, "KVM_SET_XSAVE"},
    Name{KVM_GET_XCRS, "KVM_GET_XCRS"},
    Name{KVM_SET_XCRS, "KVM_SET_XCRS"},
    Name{KVM_SET_DEVICE_ATTR, "KVM_SET_DEVICE_ATTR"},
    Name{KVM_GET_DEVICE_ATTR, "KVM_GET_DEVICE_ATTR"},
    Name{KVM_X86_SET_MSR_FILTER, "KVM_X86_SET_MSR_FILTER"},
};

}  // namespace

KvmCalls& linux_kvm() {
  static LinuxKvm kvm;
  return kvm;
}

KvmCalls& linux_kvm_of(int device) {
  static LinuxKvm kvm(device);
  return kvm;
}

std::string request_name(unsigned long request) {
  const auto* const found = std::find_if(kNames.begin(), kNames.end(), [request](const Name& name) {
    return name.request == request;
  });
  return found == kNames.end() ? "KVM request " + std::to_string(request)
                               : std::string(found->text);
}

tl::unexpected<Error> request_failed(unsigned long request, int os_errno) {
  tl::unexpected<Error> error = fail_errno(request_name(request), os_errno);
  error.value().code = ErrorCode::Hypervisor;
  return error;
}

Result<int> control(KvmCalls* kvm, const UniqueFd& fd, unsigned long request,
                    std::uintptr_t value) {
  int result = 0;
  do {
    result = kvm->control(fd.get(), request, value);
  } while (result == -EINTR);
  if (result < 0) {
    return request_failed(request, -result);
  }
  return result;
}

}  // namespace runhl::vmm::kvm
