// SPDX-License-Identifier: Apache-2.0
#include "runhl/base/sys.h"
#include "runhl/shim/cgroup.h"
#include "runhl/shim/lifecycle.h"

namespace runhl::shim {
namespace {

/// The cells stand still; the monitor stays awake and answers.
Result<std::string> freezer_of(const ContainerState& state) {
  if (state.cgroups.freezer_file.empty()) {
    return fail(ErrorCode::Unsupported,
                "container " + state.id + " has no control group that could be frozen");
  }
  return state.cgroups.freezer_file;
}

}  // namespace

Result<void> pause(const StateRoot& root, const std::string& id) {
  const ContainerView container = TRY(view(root, id));
  if (!oci::can_pause(container.status)) {
    return fail(ErrorCode::WrongState, "container not running");
  }
  return freeze_cells(linux_sys(), TRY(freezer_of(container.state)));
}

Result<void> resume(const StateRoot& root, const std::string& id) {
  const ContainerView container = TRY(view(root, id));
  if (!oci::can_resume(container.status)) {
    return fail(ErrorCode::WrongState, "container not paused");
  }
  return thaw_cells(linux_sys(), TRY(freezer_of(container.state)));
}

}  // namespace runhl::shim
