// SPDX-License-Identifier: Apache-2.0
#include "lifecycle/kill_monitor.h"
#include "lifecycle/remove_container.h"
#include "runhl/base/log.h"
#include "runhl/shim/control.h"
#include "runhl/shim/lifecycle.h"

namespace runhl::shim {
namespace {

constexpr int kDeathTimeoutMs = 10'000;

/// A state that does not read names no process and no groups. The control socket still leads to the
/// monitor, whose death ends the guest.
Result<void> delete_unreadable(const StateRoot& root, const std::string& id, const Error& error) {
  log_warn("{}; removing what can be found without it", error.message);
  if (const auto monitor = control_peer(TRY(root.find(id)))) {
    TRY(kill_monitor(*monitor));
    TRY(wait_for_death(*monitor, kDeathTimeoutMs));
  }
  return root.remove(id);
}

Result<void> check_deletable(const ContainerView& container, Force force) {
  const auto deletion = force == Force::Yes ? oci::Deletion::Forced : oci::Deletion::Plain;
  if (oci::can_delete(container.status, deletion)) {
    return {};
  }
  return fail(ErrorCode::WrongState,
              "cannot delete container " + container.state.id +
                  " that is not stopped: " + std::string(oci::to_string(container.status)));
}

}  // namespace

Result<void> delete_container(const StateRoot& root, const std::string& id, Force force) {
  TRY(check_container_id(id));
  auto found = view(root, id);
  if (!found && force == Force::Yes) {
    return found.error().code == ErrorCode::NotFound ? Result<void>{}
                                                     : delete_unreadable(root, id, found.error());
  }
  const ContainerView container = TRY(std::move(found));
  TRY(check_deletable(container, force));
  if (container.status != oci::Status::Stopped) {
    TRY(kill_monitor(container.state.monitor));
  }
  TRY(wait_for_death(container.state.monitor, kDeathTimeoutMs));
  return remove_container(root, container.state, Poststop::Run);
}

}  // namespace runhl::shim
