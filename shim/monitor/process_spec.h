// SPDX-License-Identifier: Apache-2.0
// config.json's process as the guest's first one, and as the ceiling on the host.
#pragma once

#include <map>
#include <string>

#include "runhl/base/result.h"
#include "runhl/oci/config.h"
#include "runhl/vmm/machine.h"

namespace runhl::shim {

/// Credentials are those of the program's first instruction: what execve makes of config.json's
/// sets (capabilities(7)). Limits that config.json does not name are this process's own.
vmm::ProcessSpec process_spec(const oci::Config& config);

/// The most that the container may do on the host: what process.user holds after execve. A setuid
/// program inside may become root in the guest; on the host it stays what the user is.
vmm::Ceiling ceiling_of(const oci::Config& config);

/// Annotation dev.runhl.rewrite, "on" (the default) or "off": whether system call sites of programs
/// may be rewritten. Errors: InvalidArgument, by pointer.
Result<bool> wants_rewriting(const std::map<std::string, std::string>& annotations);

}  // namespace runhl::shim
