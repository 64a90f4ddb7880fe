// SPDX-License-Identifier: Apache-2.0
#include "lifecycle/container_hooks.h"

#include "runhl/shim/hooks.h"

namespace runhl::shim {

Result<void> run_container_hooks(std::string_view kind, const std::vector<oci::Hook>& hooks,
                                 const ContainerView& container) {
  if (hooks.empty()) {
    return {};
  }
  return run_hooks(kind, hooks, oci::to_json(to_oci(container)));
}

bool has_verb_hooks(const oci::Hooks& hooks) {
  return !hooks.prestart.empty() || !hooks.create_runtime.empty();
}

}  // namespace runhl::shim
