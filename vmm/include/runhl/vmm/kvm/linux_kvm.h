// SPDX-License-Identifier: Apache-2.0
// The host's /dev/kvm; tests have another.
#pragma once

namespace runhl::vmm::kvm {

class KvmCalls;

inline constexpr const char* kDevicePath = "/dev/kvm";

/// Has no state: any thread may use it.
KvmCalls& linux_kvm();
/// The same where the device is open already, as `device`, which is borrowed for good: for a
/// process whose control group forbids to open it. One thread uses it.
KvmCalls& linux_kvm_of(int device);

}  // namespace runhl::vmm::kvm
