// SPDX-License-Identifier: Apache-2.0
#include "lifecycle/remove_container.h"

#include "lifecycle/container_hooks.h"
#include "lifecycle/host_resources.h"
#include "runhl/base/log.h"

namespace runhl::shim {

Result<void> remove_container(const StateRoot& root, const ContainerState& state,
                              Poststop poststop) {
  TRY(remove_host_resources(state));
  if (poststop == Poststop::Run) {
    const auto hooks =
        run_container_hooks("poststop", state.poststop, {oci::Status::Stopped, 0, state});
    if (!hooks) {
      log_warn("{}", hooks.error().message);  // the specification: the rest goes on
    }
  }
  return root.remove(state.id);
}

}  // namespace runhl::shim
