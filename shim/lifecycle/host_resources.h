// SPDX-License-Identifier: Apache-2.0
// What of a container outlives its processes: control groups and the state directory.
#pragma once

#include "runhl/base/result.h"
#include "runhl/oci/config.h"
#include "runhl/shim/cgroup.h"
#include "runhl/shim/state_dir.h"

namespace runhl::shim {

/// Decides where the container will lie and writes what outlives it into `state`; touches nothing.
/// Errors: Unsupported, by pointer (a limit that an ordinary user cannot have).
Result<CgroupPlan> plan_host_resources(const oci::Config& config, ContainerState* state);

/// Removes what `state` says is ours. What is gone already is no error.
Result<void> remove_host_resources(const ContainerState& state);

}  // namespace runhl::shim
