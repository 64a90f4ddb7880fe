// SPDX-License-Identifier: Apache-2.0
// A KVM machine before it has a CPU, in the order of the calls:
//
//   open /dev/kvm, KVM_GET_API_VERSION, KVM_CHECK_EXTENSION …   Vm::create
//   KVM_GET_SUPPORTED_CPUID, KVM_GET_VCPU_MMAP_SIZE
//   KVM_CREATE_VM, KVM_X86_SET_MSR_FILTER
//   KVM_SET_USER_MEMORY_REGION …                                map
//
// There is no interrupt controller and no timer of KVM's: HLT comes out, as on the software CPU.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "guest_ranges.h"
#include "kvm/cpuid_entries.h"
#include "kvm/kvm_calls.h"
#include "runhl/base/result.h"
#include "runhl/base/unique_fd.h"
#include "runhl/vmm/backend.h"

namespace runhl::vmm::kvm {

class Vm {
 public:
  /// Errors: NotFound, Permission and the like about the device; Unsupported, where KVM is too old
  /// and names what it lacks; Hypervisor.
  static Result<Vm> create(KvmCalls* kvm);

  /// InvalidArgument, or Hypervisor.
  Result<void> map(std::uint64_t guest_physical, const SharedPart& part);

  [[nodiscard]] KvmCalls* calls() const { return kvm_; }
  [[nodiscard]] const UniqueFd& fd() const { return vm_; }
  /// What the host can do, not what the guest is told.
  [[nodiscard]] const CpuidEntries& supported() const { return supported_; }
  /// Bytes of the page that a CPU shares with KVM.
  [[nodiscard]] std::size_t run_size() const { return run_size_; }

 private:
  explicit Vm(KvmCalls* kvm) : kvm_(kvm) {}
  Result<void> check_device();
  Result<void> filter_msrs();

  KvmCalls* kvm_;
  UniqueFd device_, vm_;
  CpuidEntries supported_;
  std::size_t run_size_ = 0;
  GuestRanges ranges_;
  std::vector<Mapping> memory_;  // as the slots
};

}  // namespace runhl::vmm::kvm
