// SPDX-License-Identifier: Apache-2.0
// What a container on an upstream kernel (docs/compatibility.md) must not be asked for; the fate of
// each property stands in upstream_ledger.h. Such a kernel runs one program as root, in memory that
// is its own, and has no permissions, limits or mounts of its own making; what config.json
// restricts is kept on the host, or holds because the guest has no such thing, or is refused here.
//
//   hold    capabilities, seccomp, noNewPrivileges (the host's ceiling; no call reaches the host),
//           resources (control groups), proc, sysfs, devpts, mqueue, cgroup, /dev (nothing of the
//           host's is there), masked and read-only paths below /proc and /sys (nor there), ro,
//           nosuid and nodev of binds
//   refuse  users other than root, umask, finite limits that would bind, a read-only root file
//           system, paths masked elsewhere, file systems in memory with a limit or noexec, binds
//           of files for writing, startContainer hooks, IPC's sysctls, too many words or mounts
#pragma once

#include "runhl/base/result.h"
#include "runhl/oci/config.h"

namespace runhl::shim {

/// Errors: Unsupported, InvalidArgument: one line with the JSON pointer.
Result<void> check_upstream(const oci::Config& config);

}  // namespace runhl::shim
