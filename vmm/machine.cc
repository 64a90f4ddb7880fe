// SPDX-License-Identifier: Apache-2.0
#include "runhl/vmm/machine.h"

namespace runhl::vmm {

std::string_view to_string(Isolation isolation) {
  switch (isolation) {
    case Isolation::Cell:
      return "cell";
    case Isolation::Vm:
      return "vm";
    case Isolation::Emulated:
      return "emulated";
  }
  return "unknown";
}

Result<void> Machine::pause() {
  return fail(ErrorCode::Unsupported, "this machine cannot pause");
}
Result<void> Machine::resume() {
  return fail(ErrorCode::Unsupported, "this machine cannot resume");
}

}  // namespace runhl::vmm
