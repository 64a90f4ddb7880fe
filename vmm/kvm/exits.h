// SPDX-License-Identifier: Apache-2.0
// What KVM_RUN leaves in the page that it shares with us, as the one enum of backend.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "runhl/base/result.h"
#include "runhl/vmm/backend.h"
#include "runhl/vmm/kvm/kvm_abi.h"

namespace runhl::vmm::kvm {

/// Why the CPU came back. `run` is the whole page; of several OUTs that one instruction made
/// (REP OUTS) it is the `nth`. Hypervisor: KVM gave up, in words.
Result<CpuExit> take_exit(std::span<const std::byte> run, std::uint32_t nth = 0);

/// How many OUTs there are, 0 for another exit.
std::uint32_t count_of_outs(std::span<const std::byte> run);

/// SAFETY of its use: the span is a vCPU's page, which KVM lays out so and maps page-aligned.
inline const kvm_run& as_run(std::span<const std::byte> run) {
  return *reinterpret_cast<const kvm_run*>(run.data());
}

}  // namespace runhl::vmm::kvm
