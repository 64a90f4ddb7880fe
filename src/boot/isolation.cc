// SPDX-License-Identifier: Apache-2.0
#include "boot/isolation.h"

#include <utility>

#include "image_helper.h"
#include "runhl/vmm/emu/emulated_backend.h"
#include "runhl/vmm/kvm/kvm_backend.h"

namespace runhl::boot {

Result<Executor> choose_executor(Choice choice, const std::string& state_root) {
  Executor executor;
  if (choice != Choice::Emulated) {
    const vmm::kvm::Probe found = find_kvm(choice, state_root);
    if (found.usable()) {
      executor.backend = TRY(vmm::kvm::create_backend());
      executor.hardware = true;
      return executor;
    }
    if (choice == Choice::Vm) {
      return fail(ErrorCode::Unsupported, "--isolation=vm: " + found.reason);
    }
    executor.why = found.reason;
  }
  executor.backend = TRY(vmm::emu::create_backend(TRY(libexec_path("runhl-emu"))));
  return executor;
}

std::string describe(const Executor& executor) {
  if (executor.hardware) {
    return "Isolation: vm";
  }
  const std::string text = "Isolation: emulated, which is slow and is no security boundary";
  return executor.why.empty() ? text : text + " (" + executor.why + ")";
}

}  // namespace runhl::boot
