// SPDX-License-Identifier: Apache-2.0
#include "boot/choice.h"

namespace runhl::boot {

Result<Choice> parse_isolation(const std::string& isolation) {
  if (isolation == "auto") {
    return Choice::Auto;
  }
  if (isolation == "vm") {
    return Choice::Vm;
  }
  if (isolation == "emulated") {
    return Choice::Emulated;
  }
  if (isolation == "cell") {
    return fail(ErrorCode::Unsupported,
                "--isolation=cell: upstream kernels need ring 0, which a cell does not have");
  }
  return fail(ErrorCode::InvalidArgument,
              "--isolation: \"" + isolation + "\" is none of vm, cell, emulated, auto");
}

vmm::kvm::Probe find_kvm(Choice choice, const std::string& state_root) {
  constexpr int kMostTries = 5;
  vmm::kvm::Probe found = vmm::kvm::remembered_probe(state_root);
  for (int i = 1; choice == Choice::Vm && !found.is_final() && i < kMostTries; ++i) {
    found = vmm::kvm::remembered_probe(state_root);
  }
  return found;
}

}  // namespace runhl::boot
