// SPDX-License-Identifier: Apache-2.0
// OCI hooks: programs of the engine's that run at fixed points of a container's life.
//
//   TRY(run_hooks("prestart", config.hooks.prestart, state_json));
//
// A hook gets the state on stdin, exactly the environment of config.json, no descriptor but the
// three streams, a process group of its own and default signals. Its output is read as it comes and
// the last 4 KiB of stderr are kept for the message. One that writes nothing, everything, or never
// reads its stdin ends all the same. It runs in the namespaces of the caller: the verb for
// prestart, createRuntime, poststart and poststop, the monitor for createContainer.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "runhl/base/result.h"
#include "runhl/oci/config.h"

namespace runhl::shim {

/// Where a hook stands in config.json.
struct HookPlace {
  std::string_view kind;  ///< "prestart", "createRuntime", ...
  std::size_t index = 0;
};

/// Runs one hook to its end. After timeout_seconds its process group is killed.
/// Errors: "/hooks/<kind>/<index>: <path>: " and what happened: NotFound, Permission (it cannot be
/// executed), Timeout, Io (exit status or signal, and the end of its stderr).
Result<void> run_hook(const oci::Hook& hook, HookPlace place, std::string_view state_json);

/// In order; the first failure ends it.
Result<void> run_hooks(std::string_view kind, const std::vector<oci::Hook>& hooks,
                       std::string_view state_json);

}  // namespace runhl::shim
