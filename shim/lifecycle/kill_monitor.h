// SPDX-License-Identifier: Apache-2.0
// The end that needs no cooperation: a monitor's death takes the guest along.
#pragma once

#include "runhl/base/result.h"
#include "runhl/shim/state_dir.h"

namespace runhl::shim {

/// SIGKILL for exactly this process; one that is gone is no error.
Result<void> kill_monitor(const ProcessIdentity& monitor);

/// Waits until it is dead (reaped or not). Errors: Timeout.
Result<void> wait_for_death(const ProcessIdentity& monitor, int timeout_ms);

}  // namespace runhl::shim
