// SPDX-License-Identifier: Apache-2.0
// config.json's process as the guest's first one, and as the ceiling on the host.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "runhl/base/result.h"
#include "runhl/oci/config.h"
#include "runhl/vmm/machine.h"

namespace runhl::shim {

/// This process's limits: to be asked for before apply_own_limits() makes them the monitor's.
std::vector<vmm::Rlimit> inherited_limits();

/// Credentials are those of the program's first instruction: what execve makes of config.json's
/// sets (capabilities(7)). Limits that config.json does not name are the inherited ones.
vmm::ProcessSpec process_spec(const oci::Config& config, std::vector<vmm::Rlimit> inherited);

/// The most that the container may do on the host: what process.user holds after execve. A setuid
/// program inside may become root in the guest; on the host it stays what the user is.
vmm::Ceiling ceiling_of(const oci::Config& config);

// Annotations that are "on" (the default) or "off":
/// Whether system call sites of programs may be rewritten.
inline constexpr const char* kRewriteAnnotation = "dev.runhl.rewrite";
/// Whether files are mapped. Off, they are copied, as where an outer sandbox has the listener.
inline constexpr const char* kMapFilesAnnotation = "dev.runhl.map-files";
/// Errors: InvalidArgument, by pointer.
Result<bool> wants(const std::map<std::string, std::string>& annotations,
                   const std::string& annotation);

}  // namespace runhl::shim
