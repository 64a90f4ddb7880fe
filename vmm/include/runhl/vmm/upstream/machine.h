// SPDX-License-Identifier: Apache-2.0
// The guest on an upstream kernel, as a container's machine: a process of its own, runhl-boot,
// executes and serves it (guest_channel.h); here is what starts it, tells it, and waits for it.
//
// Signals do not reach a program: the kernel knows no way to hand one in from outside. Those whose
// default ends a program end the guest, with 128 and their number; those whose default is nothing
// do nothing; the rest are refused.
#pragma once

#include <memory>
#include <string>

#include "runhl/base/result.h"
#include "runhl/vmm/machine.h"

namespace runhl::vmm::upstream {

/// Descriptors are borrowed, for the time of create().
struct Host {
  std::string executable;  ///< runhl-boot
  std::string version;     ///< it refuses to serve another
  int kernel = -1;         ///< the file
  int kvm = -1;  ///< /dev/kvm, open: control groups may forbid to open it later; -1: emulated
};

/// Returns with a guest whose CPU stands ready; the kernel boots in boot(), where files of the
/// container are looked at. Errors: about kernel, archive or CPU.
Result<std::unique_ptr<Machine>> create(MachineSpec spec, const Host& host);

/// What becomes of a signal.
enum class SignalFate : std::uint8_t { Ends, Ignored, Refused };
SignalFate fate_of_signal(int number);

}  // namespace runhl::vmm::upstream
