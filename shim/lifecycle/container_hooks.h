// SPDX-License-Identifier: Apache-2.0
// The hooks of a container, given its state on stdin as the specification asks.
#pragma once

#include <string_view>
#include <vector>

#include "runhl/base/result.h"
#include "runhl/oci/config.h"
#include "runhl/shim/state_dir.h"

namespace runhl::shim {

/// Runs `hooks` in order, the first failure ends it. `name`: "prestart", ..., for the message;
/// `status` and `pid`: what the state says.
Result<void> run_container_hooks(std::string_view name, const std::vector<oci::Hook>& hooks,
                                 const ContainerState& state, std::string_view status, int pid);

}  // namespace runhl::shim
