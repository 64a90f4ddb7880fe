// SPDX-License-Identifier: Apache-2.0
#include <csignal>

#include "lifecycle/container_hooks.h"
#include "runhl/base/log.h"
#include "runhl/shim/control.h"
#include "runhl/shim/lifecycle.h"

namespace runhl::shim {
namespace {

constexpr int kStartTimeoutMs = 10'000;
constexpr int kAsLongAsHooksTake = -1;

Result<void> check_startable(oci::Status status) {
  if (oci::can_start(status)) {
    return {};
  }
  if (status == oci::Status::Stopped) {
    return fail(ErrorCode::WrongState, "cannot start a container that has stopped");
  }
  if (status == oci::Status::Creating) {
    return fail(ErrorCode::WrongState, "cannot start a container that is not created yet");
  }
  if (status == oci::Status::Paused) {
    return fail(ErrorCode::WrongState, "cannot start a container in the paused state");
  }
  return fail(ErrorCode::WrongState, "cannot start an already running container");
}

}  // namespace

Result<void> start(const StateRoot& root, const std::string& id) {
  const ContainerView container = TRY(view(root, id));
  TRY(check_startable(container.status));
  const StateDir dir = TRY(root.find(id));
  TRY(control_call(dir, {.operation = ControlOperation::Start},
                   container.state.start_hooks ? kAsLongAsHooksTake : kStartTimeoutMs));
  auto hooks = run_container_hooks("poststart", container.state.poststart,
                                   {oci::Status::Running, container.pid, container.state});
  if (!hooks) {
    // As runc: a container whose poststart hook failed does not go on.
    if (const auto killed = kill(root, id, SIGKILL, SignalScope::All); !killed) {
      log_warn("after a failed hook: {}", killed.error().message);
    }
  }
  return hooks;
}

}  // namespace runhl::shim
