// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>

#include "lifecycle/small_file.h"
#include "runhl/base/log.h"
#include "runhl/shim/lifecycle.h"

namespace runhl::shim {
namespace {

bool is_frozen(const std::string& freezer_file) {
  constexpr std::size_t kMaxBytes = 4096;
  if (freezer_file.empty()) {
    return false;
  }
  const auto text = read_file_at(AT_FDCWD, freezer_file, kMaxBytes);
  // v1 freezer.state, v2 cgroup.freeze
  return text && (text->starts_with("FROZEN") || text->starts_with("1"));
}

std::string status_of(const StateDir& dir, const ContainerState& state) {
  if (!open_process(state.monitor)) {
    // Before the first fork there is nobody yet; the verb that makes it is not known by pid.
    return !state.complete && state.monitor.pid == 0 ? "creating" : "stopped";
  }
  if (!state.complete) {
    return "creating";
  }
  const Result<Progress> progress = dir.read_progress();
  if (progress && progress->exit_code) {
    return "stopped";  // the monitor is on its way out
  }
  if (!progress || !progress->started) {
    return "created";
  }
  return is_frozen(state.cgroups.freezer_file) ? "paused" : "running";
}

}  // namespace

Result<ContainerView> view(const StateRoot& root, const std::string& id) {
  const StateDir dir = TRY(root.find(id));
  auto read = dir.read();
  if (!read && read.error().code == ErrorCode::NotFound) {
    ContainerState claimed;  // the id is taken, nothing is made yet
    claimed.id = id;
    return ContainerView{.status = "creating", .pid = 0, .state = std::move(claimed)};
  }
  ContainerView view{.status = {}, .pid = 0, .state = TRY(std::move(read))};
  view.status = status_of(dir, view.state);
  view.pid = view.status == "stopped" ? 0 : view.state.monitor.pid;
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
