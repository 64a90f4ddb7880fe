// SPDX-License-Identifier: Apache-2.0
// What executes an upstream kernel: the host's processor where KVM is what it says, else software.
#pragma once

#include <memory>
#include <string>

#include "boot/choice.h"
#include "runhl/base/result.h"
#include "runhl/vmm/backend.h"

namespace runhl::boot {

struct Executor {
  std::unique_ptr<vmm::Backend> backend;
  bool hardware = false;  ///< isolation `vm`; else `emulated`
  std::string why;        ///< why it is not KVM, where `auto` would have taken it; else empty
};

/// `state_root`: where a probe's answer is remembered. Unsupported: `vm`, and there is no real KVM.
/// NotFound: software, and it is not installed.
Result<Executor> choose_executor(Choice choice, const std::string& state_root);

/// "Isolation: …", one line for people.
std::string describe(const Executor& executor);

}  // namespace runhl::boot
