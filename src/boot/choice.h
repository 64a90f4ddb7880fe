// SPDX-License-Identifier: Apache-2.0
// What the caller wants an upstream kernel to be executed by, and what there is of KVM.
#pragma once

#include <cstdint>
#include <string>

#include "runhl/base/result.h"
#include "runhl/vmm/kvm/probe.h"

namespace runhl::boot {

enum class Choice : std::uint8_t { Auto, Vm, Emulated };

/// The word of --isolation. InvalidArgument; Unsupported: cell.
Result<Choice> parse_isolation(const std::string& isolation);

/// What /dev/kvm is; whoever insists on `vm` has no use for the answer that the machine is too busy
/// to tell. `state_root`: where an answer is remembered.
vmm::kvm::Probe find_kvm(Choice choice, const std::string& state_root);

}  // namespace runhl::boot
