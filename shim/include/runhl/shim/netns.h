// SPDX-License-Identifier: Apache-2.0
// The namespaces that a container's host sockets, host name and IPC objects live in, as
// config.json's linux.namespaces says: an entry without a path is made, one with a path is joined,
// none leaves the caller's.
//
//   TRY(enter_namespaces(sys, config, proc_fd));
//
// Pid, user, mount and cgroup entries are not acted upon here: the cells' own namespaces and the
// jail hold what they promise.
#pragma once

#include "runhl/base/result.h"
#include "runhl/base/sys.h"
#include "runhl/oci/config.h"

namespace runhl::shim {

/// Enters network, uts and ipc namespaces; brings up `lo` in a new network namespace; sets host and
/// domain name in a new or joined uts namespace; writes the net.* sysctls in the new or joined
/// network namespace.
/// @param proc a directory descriptor of the host's /proc
/// Errors: InvalidArgument beginning with the JSON pointer (a path that is no such namespace, a
/// hostname or sysctl that would change the host's own), NotFound, Permission (names the call).
Result<void> enter_namespaces(Sys& sys, const oci::Config& config, int proc);

}  // namespace runhl::shim
