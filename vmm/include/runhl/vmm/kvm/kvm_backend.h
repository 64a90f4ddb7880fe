// SPDX-License-Identifier: Apache-2.0
// A CPU that the host's processor is, by KVM. Whether it truly is that: probe.h.
#pragma once

#include <memory>

#include "runhl/vmm/backend.h"
#include "runhl/vmm/kvm/linux_kvm.h"

namespace runhl::vmm::kvm {

/// kick() sends SIGRTMIN to the thread that runs the guest; where the program has no handler for
/// it, one that does nothing is installed.
/// Errors: NotFound, Permission and the like about /dev/kvm; Unsupported (a kernel too old);
/// Hypervisor.
Result<std::unique_ptr<Backend>> create_backend(KvmCalls* kvm = &linux_kvm());

}  // namespace runhl::vmm::kvm
