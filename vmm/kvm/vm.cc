// SPDX-License-Identifier: Apache-2.0
#include "kvm/vm.h"

#include <sys/mman.h>

#include <array>
#include <utility>

#include "runhl/vmm/kvm/kvm_abi.h"

namespace runhl::vmm::kvm {
namespace {

struct Needed {
  int capability;
  int bits;  // all of them
  const char* name;
};
constexpr std::array kNeeded = {
    Needed{KVM_CAP_USER_MEMORY, 1, "KVM_CAP_USER_MEMORY"},
    Needed{KVM_CAP_READONLY_MEM, 1, "KVM_CAP_READONLY_MEM"},
    Needed{KVM_CAP_IMMEDIATE_EXIT, 1, "KVM_CAP_IMMEDIATE_EXIT"},
    Needed{KVM_CAP_SYNC_REGS, KVM_SYNC_X86_REGS, "KVM_CAP_SYNC_REGS"},
    Needed{KVM_CAP_XSAVE, 1, "KVM_CAP_XSAVE"},
    Needed{KVM_CAP_X86_MSR_FILTER, 1, "KVM_CAP_X86_MSR_FILTER"},
};

// The MSRs that a guest may touch; any other raises #GP in it. Upstream kernels set up SYSCALL and
// look at the memory types; older ones set FS and GS by MSR.
struct MsrRange {
  std::uint32_t first;
  std::uint8_t allowed;  // bit n: first + n
};
constexpr std::array kMsrs = {
    MsrRange{kMsrPat, 0b1},        // PAT
    MsrRange{kMsrStar, 0b1011},    // STAR, LSTAR, FMASK
    MsrRange{0xc000'0100, 0b111},  // FS_BASE, GS_BASE, KERNEL_GS_BASE
};
constexpr std::uint32_t kMsrsInRange = 8;
static_assert(kMsrs.size() <= KVM_MSR_FILTER_MAX_RANGES);

}  // namespace

Result<void> Vm::check_device() {
  device_.reset(kvm_->open_device());
  if (device_.get() < 0) {
    const int os_errno = -device_.release();
    return fail_errno(kDevicePath, os_errno);
  }
  const int version = TRY(control(kvm_, device_, KVM_GET_API_VERSION));
  if (version != KVM_API_VERSION) {
    return fail(ErrorCode::Unsupported,
                std::string(kDevicePath) + " speaks version " + std::to_string(version));
  }
  for (const Needed& needed : kNeeded) {
    const int found = TRY(control(kvm_, device_, KVM_CHECK_EXTENSION,
                                  static_cast<std::uintptr_t>(needed.capability)));
    if ((found & needed.bits) != needed.bits) {
      return fail(ErrorCode::Unsupported,
                  std::string(kDevicePath) + " has no " + needed.name + ": the kernel is too old");
    }
  }
  return {};
}

Result<void> Vm::filter_msrs() {
  std::array<std::uint8_t, kMsrs.size()> bitmaps{};
  kvm_msr_filter filter{};
  filter.flags = KVM_MSR_FILTER_DEFAULT_DENY;
  for (std::size_t i = 0; i < kMsrs.size(); ++i) {
    bitmaps[i] = kMsrs[i].allowed;
    filter.ranges[i].flags = KVM_MSR_FILTER_READ | KVM_MSR_FILTER_WRITE;
    filter.ranges[i].base = kMsrs[i].first;
    filter.ranges[i].nmsrs = kMsrsInRange;
    filter.ranges[i].bitmap = &bitmaps[i];
  }
  TRY(control(kvm_, vm_, KVM_X86_SET_MSR_FILTER, &filter));
  return {};
}

Result<Vm> Vm::create(KvmCalls* kvm) {
  Vm vm(kvm);
  TRY(vm.check_device());
  vm.supported_ = TRY(supported_cpuid(kvm, vm.device_));
  vm.run_size_ = static_cast<std::size_t>(TRY(control(kvm, vm.device_, KVM_GET_VCPU_MMAP_SIZE)));
  if (vm.run_size_ < sizeof(kvm_run)) {
    return fail(ErrorCode::Unsupported, "KVM_GET_VCPU_MMAP_SIZE: too small for this program");
  }
  vm.vm_.reset(TRY(control(kvm, vm.device_, KVM_CREATE_VM)));
  TRY(vm.filter_msrs());
  return vm;
}

Result<void> Vm::map(std::uint64_t guest_physical, const SharedPart& part) {
  TRY(ranges_.check(guest_physical, part));
  const bool writable = part.access == Access::ReadWrite;
  void* const at = ::mmap(nullptr, part.size, PROT_READ | (writable ? PROT_WRITE : 0),
                          MAP_SHARED | MAP_NORESERVE, part.fd, static_cast<off_t>(part.offset));
  if (at == MAP_FAILED) {
    return fail_errno("guest memory");
  }
  Mapping memory({static_cast<std::byte*>(at), part.size});
  kvm_userspace_memory_region region{};
  region.slot = static_cast<std::uint32_t>(memory_.size());
  region.flags = writable ? 0 : KVM_MEM_READONLY;
  region.guest_phys_addr = guest_physical;
  region.memory_size = part.size;
  region.userspace_addr = reinterpret_cast<std::uintptr_t>(at);
  TRY(control(kvm_, vm_, KVM_SET_USER_MEMORY_REGION, &region));
  memory_.push_back(std::move(memory));
  ranges_.add(guest_physical, part);
  return {};
}

}  // namespace runhl::vmm::kvm
