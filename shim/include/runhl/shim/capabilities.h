// SPDX-License-Identifier: Apache-2.0
// How the monitor gives up what it is: from the caller's credentials to the container's ceiling.
//
//   const vmm::Ceiling ceiling = TRY(cut_ceiling(sys, ceiling_of(config), privilege));
//   TRY(become_ceiling(sys, ceiling));       // uid and groups; still all capabilities
//   auto machine = TRY(factory(...));        // clones cell 0: needs capabilities and the final uid
//   TRY(drop_capabilities(sys, ceiling));    // then Landlock and seccomp (monitor_filter.h)
#pragma once

#include <cstdint>

#include "runhl/base/result.h"
#include "runhl/base/sys.h"
#include "runhl/shim/rootless.h"
#include "runhl/vmm/machine.h"

namespace runhl::shim {

/// What a monitor can use at all: CHOWN, DAC_OVERRIDE, FOWNER, FSETID, SETFCAP, MKNOD, SETUID,
/// SETGID (setfsuid needs them), NET_BIND_SERVICE, NET_RAW.
std::uint64_t monitor_capabilities();

/// The ceiling's capabilities, cut to monitor_capabilities() and to what this process holds.
/// Without SETUID and SETGID for a rootless container: there is one id, and setgroups is denied, so
/// every operation runs with the caller's own.
Result<vmm::Ceiling> cut_ceiling(Sys& sys, vmm::Ceiling ceiling,
                                 Privilege privilege = Privilege::Full);

/// Takes the ceiling's uid, gid and groups and keeps all capabilities, effective too. Others with
/// its uid may inspect the process again (network tools open /proc/PID/ns/net). In a user namespace
/// that denies setgroups the caller's groups stay, and no others can be asked for.
/// Errors: Permission, beginning with "/process/user".
Result<void> become_ceiling(Sys& sys, const vmm::Ceiling& ceiling);

/// Leaves exactly the ceiling's capabilities in permitted and effective, none in the others, and
/// nothing in the bounding set; sets no_new_privs.
Result<void> drop_capabilities(Sys& sys, const vmm::Ceiling& ceiling);

}  // namespace runhl::shim
