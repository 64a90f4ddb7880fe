// SPDX-License-Identifier: Apache-2.0
// All of a CPU but its general registers, out of KVM and into it.
#pragma once

#include "kvm/kvm_calls.h"
#include "runhl/base/result.h"
#include "runhl/base/unique_fd.h"
#include "runhl/vmm/cpu_state.h"

namespace runhl::vmm::kvm {

/// KVM_GET_SREGS, _XCRS, _XSAVE, _MSRS. Leaves CpuState::registers alone.
Result<void> save_state(KvmCalls* kvm, const UniqueFd& vcpu, CpuState* state);

/// KVM_SET_SREGS, _XCRS, _XSAVE, _MSRS, and the time-stamp counter. Hypervisor too where that
/// cannot be set: a guest whose clock goes back never wakes.
Result<void> load_state(KvmCalls* kvm, const UniqueFd& vcpu, const CpuState& state);

/// KVM_SET_XCRS.
Result<void> set_xcr0(KvmCalls* kvm, const UniqueFd& vcpu, std::uint64_t value);
/// KVM_SET_XSAVE: x87 and SSE of `image`, all else as after a reset.
Result<void> set_fpu(KvmCalls* kvm, const UniqueFd& vcpu, const FxsaveImage& image);

}  // namespace runhl::vmm::kvm
