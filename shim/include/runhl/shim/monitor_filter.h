// SPDX-License-Identifier: Apache-2.0
// The monitor's own confinement, in force before the guest runs: Landlock rules for the granted
// trees, then a seccomp filter. The filter's rules stand in shim/seccomp/monitor_filter.cc, one
// reason each.
//
//   TRY(confine_files(sys, trees));
//   TRY(confine_calls(sys));         // last
//
// Order: after drop_capabilities (it sets no_new_privs, which both need), before threads start.
#pragma once

#include <linux/filter.h>
#include <sys/types.h>

#include <span>
#include <string>
#include <vector>

#include "runhl/base/result.h"
#include "runhl/base/sys.h"
#include "runhl/vmm/machine.h"

namespace runhl::shim {

/// File access beneath the trees only, reading only where a tree is read-only. Landlock before ABI
/// 2 cannot allow renames between directories, so it is left out there.
Result<void> confine_files(Sys& sys, const std::vector<vmm::GrantedTree>& trees);

/// One line for `state` where this host is one on which confine_files() does nothing; else empty.
std::string missing_file_rules(Sys& sys);

/// Allows what the monitor's main loop and the file service need. Calls that would lead out of the
/// jail kill the process; every other one answers ENOSYS.
Result<void> confine_calls(Sys& sys);

/// The filter for a monitor whose pid is `self`; confine_calls() sets exactly this one.
std::vector<sock_filter> monitor_filter(pid_t self);

}  // namespace runhl::shim
