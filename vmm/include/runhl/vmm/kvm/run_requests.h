// SPDX-License-Identifier: Apache-2.0
// What a Backend on KVM asks of its descriptors once everything is mapped: for filters of system
// calls. KVM_CREATE_VM and the like are not among it.
#pragma once

#include <cstdint>

#include "runhl/vmm/kvm/kvm_abi.h"

namespace runhl::vmm::kvm {

// An array of the language: what filters are written with takes it so.
inline constexpr std::uint32_t kRunRequests[] = {
    KVM_RUN,              // the guest runs
    KVM_GET_SREGS,        // control registers are looked at, saved
    KVM_SET_SREGS,        // set, restored
    KVM_SET_XSAVE,        // the FPU before each call into the guest
    KVM_GET_XSAVE,        // save
    KVM_GET_XCRS,         // save
    KVM_SET_XCRS,         // restore
    KVM_GET_MSRS,         // save; the clock
    KVM_SET_MSRS,         // restore
    KVM_GET_DEVICE_ATTR,  // the clock's offset: restore
    KVM_SET_DEVICE_ATTR,  // the same
};

}  // namespace runhl::vmm::kvm
