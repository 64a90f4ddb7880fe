// SPDX-License-Identifier: Apache-2.0
// The hooks of a container, given its state on stdin as the specification asks.
#pragma once

#include <string_view>
#include <vector>

#include "runhl/base/result.h"
#include "runhl/oci/config.h"
#include "runhl/shim/lifecycle.h"

namespace runhl::shim {

/// Runs `hooks` in order, the first failure ends it. `kind`: "prestart", ..., their name in
/// config.json.
Result<void> run_container_hooks(std::string_view kind, const std::vector<oci::Hook>& hooks,
                                 const ContainerView& container);

/// Hooks that the verb runs while the monitor stands in the new namespaces.
bool has_verb_hooks(const oci::Hooks& hooks);

}  // namespace runhl::shim
