// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>

#include "lifecycle/passwd.h"
#include "lifecycle/small_file.h"
#include "runhl/base/log.h"
#include "runhl/shim/cgroup.h"
#include "runhl/shim/lifecycle.h"

namespace runhl::shim {
namespace {

using oci::Status;

bool cells_stand_still(const std::string& freezer_file) {
  constexpr std::size_t kMaxBytes = 4096;
  if (freezer_file.empty()) {
    return false;
  }
  const auto text = read_file_at(AT_FDCWD, freezer_file, kMaxBytes);
  return text && is_frozen(*text);
}

Status status_of(const StateDir& dir, const ContainerState& state) {
  if (!open_process(state.monitor)) {
    return Status::Stopped;
  }
  const Result<Progress> progress = dir.read_progress();
  if (progress && !progress->created) {
    return Status::Creating;
  }
  if (progress && progress->exit_code) {
    return Status::Stopped;  // the monitor is on its way out
  }
  if (cells_stand_still(state.cgroups.freezer_file)) {
    return Status::Paused;
  }
  return progress && progress->started ? Status::Running : Status::Created;
}

/// The name of a uid of this host; its number where there is none. (getpwuid would load libraries
/// into a static program.)
std::string user_name(std::uint32_t uid) {
  constexpr std::size_t kMaxBytes = 1UL << 20;
  if (uid == 0) {
    return "root";
  }
  const auto passwd = read_file_at(AT_FDCWD, "/etc/passwd", kMaxBytes);
  const std::string name = passwd ? name_in_passwd(*passwd, uid) : "";
  return name.empty() ? std::to_string(uid) : name;
}

/// What a person should know of it, beside what was asked for.
std::map<std::string, std::string> annotations_of(const ContainerState& state) {
  std::map<std::string, std::string> out = state.annotations;
  std::string missing;
  for (const std::string& fact : state.facts) {
    missing += (missing.empty() ? "" : "; ") + fact;
  }
  if (!missing.empty()) {
    out["dev.runhl.missing"] = std::move(missing);
  }
  return out;
}

}  // namespace

oci::ContainerState to_oci(const ContainerView& container) {
  const ContainerState& state = container.state;
  return {.oci_version = state.oci_version,
          .id = state.id,
          .pid = container.pid,
          .status = container.status,
          .bundle = state.bundle,
          .rootfs = state.rootfs,
          .created = state.created,
          .owner = user_name(state.owner),
          .annotations = annotations_of(state)};
}

Result<ContainerView> view(const StateRoot& root, const std::string& id) {
  const StateDir dir = TRY(root.find(id));
  auto read = dir.read();
  if (!read && read.error().code == ErrorCode::NotFound) {
    ContainerState claimed;  // the id is taken, nothing is made yet
    claimed.id = id;
    return ContainerView{.status = Status::Creating, .pid = 0, .state = std::move(claimed)};
  }
  ContainerView view{.status = Status::Creating, .pid = 0, .state = TRY(std::move(read))};
  view.status = status_of(dir, view.state);
  view.pid = view.status == Status::Stopped ? 0 : view.state.monitor.pid;
  return view;
}

Result<std::vector<ContainerView>> view_all(const StateRoot& root) {
  std::vector<ContainerView> views;
  for (const std::string& id : TRY(root.ids())) {
    auto one = view(root, id);
    if (one) {
      views.push_back(std::move(*one));
    } else if (one.error().code != ErrorCode::NotFound) {  // else deleted meanwhile
      log_warn("{}", one.error().message);
    }
  }
  return views;
}

}  // namespace runhl::shim
