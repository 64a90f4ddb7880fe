// SPDX-License-Identifier: Apache-2.0
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>

#include "lifecycle/kill_monitor.h"
#include "runhl/base/sys.h"
#include "runhl/shim/cgroup.h"
#include "runhl/shim/control.h"
#include "runhl/shim/lifecycle.h"

namespace runhl::shim {
namespace {

constexpr int kSignalTimeoutMs = 5'000;
constexpr int kKillTimeoutMs = 500;  // then the monitor itself is killed, which ends the guest

}  // namespace

Result<void> kill(const StateRoot& root, const std::string& id, int signal, SignalScope scope) {
  const ContainerView container = TRY(view(root, id));
  if (container.status == oci::Status::Stopped) {
    if (scope == SignalScope::All) {
      return {};
    }
    return fail(ErrorCode::WrongState, "container not running");
  }
  if (signal == 0) {
    return {};  // it exists, which is all that was asked
  }
  const StateDir dir = TRY(root.find(id));
  const int timeout_ms = signal == SIGKILL ? kKillTimeoutMs : kSignalTimeoutMs;
  const auto operation =
      scope == SignalScope::All ? ControlOperation::SignalAll : ControlOperation::Signal;
  auto sent = control_call(dir, {.operation = operation, .argument = signal}, timeout_ms);
  if (!sent && signal == SIGKILL) {
    TRY(kill_monitor(container.state.monitor));
    if (container.status == oci::Status::Paused) {
      (void)thaw_cells(linux_sys(), container.state.cgroups.freezer_file);  // gone is as good
    }
    return {};
  }
  if (!sent && sent.error().code == ErrorCode::WrongState && scope == SignalScope::All) {
    return {};  // ended between the look and the call
  }
  return sent;
}

}  // namespace runhl::shim
