// SPDX-License-Identifier: Apache-2.0
// The software CPU: runhl-emu (emu/), a program under another licence, in a confined process of its
// own. It isolates as well as that process's filter does, and no better: docs/security.md.
#pragma once

#include <memory>
#include <string>

#include "runhl/vmm/backend.h"

namespace runhl::vmm::emu {

/// Errors: NotFound and the like where `executable` is not to be executed; Hypervisor.
Result<std::unique_ptr<Backend>> create_backend(const std::string& executable);

}  // namespace runhl::vmm::emu
