// SPDX-License-Identifier: Apache-2.0
// A guest's counters on their way from the monitor to a verb: one line each.
//
//   fast_syscalls 120345
//   unimplemented userfaultfd 2
//   maps_files 1
#pragma once

#include <string>
#include <string_view>

#include "runhl/base/result.h"
#include "runhl/shim/lifecycle.h"
#include "runhl/vmm/machine.h"

namespace runhl::shim {

std::string stats_text(const vmm::Stats& stats, const vmm::Capabilities& capabilities);
/// Errors: Io (the monitor is of another version).
Result<GuestCounters> parse_stats_text(std::string_view text);

/// "\nunimplemented call userfaultfd: 2 times" for each; empty: none.
std::string unimplemented_lines(const vmm::Stats& stats);

}  // namespace runhl::shim
