// SPDX-License-Identifier: Apache-2.0
// Whether /dev/kvm is what it says. That it exists says nothing: some hosts offer one that executes
// a guest's programs natively but emulates its kernel, at half a million instructions a second.
// Such a one, and none at all, are the same to a caller.
//
//   1. The device is there, may be opened, speaks our version and has what we need.
//   2. KVM offers a guest the SSE3, AVX and XSAVE that the host's processor has: an emulator does
//   not.
//   3. A loop in ring 0 takes as long as on a processor. The thread's CPU time counts, the best of
//      three tries; a try that takes too long by the clock is no answer.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "runhl/vmm/kvm/linux_kvm.h"

namespace runhl::vmm::kvm {

enum class Finding : std::uint8_t {
  Hardware,
  Absent,     ///< no device, or of another version, or of a kernel too old
  Denied,     ///< this user may not open it
  Emulating,  ///< by its CPUID
  Slow,       ///< by the loop
  Failed,     ///< a call failed that should not
  NoAnswer,   ///< the machine was too busy to tell
};
/// "hardware", "absent", …
std::string_view to_string(Finding finding);

struct Probe {
  Finding finding = Finding::NoAnswer;
  std::string reason;       ///< one line
  bool remembered = false;  ///< by an earlier process
  [[nodiscard]] bool usable() const { return finding == Finding::Hardware; }
  /// False: on a machine less busy there may be another.
  [[nodiscard]] bool is_final() const {
    return finding != Finding::NoAnswer && finding != Finding::Slow;
  }
};

/// What the processor itself has.
struct HostCpu {
  bool sse3 = false, avx = false, xsave = false;
};
HostCpu host_cpu();

Probe probe(KvmCalls* kvm, const HostCpu& host);

/// The host's, out of a file of `directory` where one was written since the host's start: for this
/// kernel and device, and not where another caller or another time may get another answer. The
/// directory is made where it is missing; where it cannot be used, nothing is remembered.
Probe remembered_probe(const std::string& directory);

}  // namespace runhl::vmm::kvm
