// SPDX-License-Identifier: Apache-2.0
// What CPUID answers: all that KVM can do on this host, and of it what a guest is told.
#pragma once

#include <cstdint>
#include <vector>

#include "kvm/kvm_calls.h"
#include "runhl/base/result.h"
#include "runhl/base/unique_fd.h"
#include "runhl/vmm/kvm/kvm_abi.h"

namespace runhl::vmm::kvm {

using CpuidEntries = std::vector<kvm_cpuid_entry2>;

/// KVM_GET_SUPPORTED_CPUID, however many entries there are.
Result<CpuidEntries> supported_cpuid(KvmCalls* kvm, const UniqueFd& device);
/// KVM_SET_CPUID2.
Result<void> set_cpuid(KvmCalls* kvm, const UniqueFd& vcpu, const CpuidEntries& entries);

/// None: there is no such leaf.
const kvm_cpuid_entry2* find_leaf(const CpuidEntries& entries, std::uint32_t leaf,
                                  std::uint32_t index = 0);

/// Of one CPU with kPhysicalBits that has no virtualisation of its own, and nothing that this
/// machine does not serve.
CpuidEntries cpuid_for_guest(CpuidEntries entries);

/// The bits of XCR0 that a guest of these entries may set; 0: it has no XCR0.
std::uint64_t possible_xcr0(const CpuidEntries& entries);
/// With which it starts: x87, SSE and AVX as far as they are there.
std::uint64_t initial_xcr0(const CpuidEntries& entries);

}  // namespace runhl::vmm::kvm
