// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>

#include <algorithm>

#include "cgroup/limits.h"
#include "cgroup/mount_info.h"
#include "runhl/shim/cgroup.h"
#include "runhl/shim/rootless.h"

namespace runhl::shim {
namespace {

constexpr const char* kPathPointer = "/linux/cgroupsPath";
constexpr const char* kCellsName = "/cells";

bool has(const std::vector<std::string>& controllers, std::string_view name) {
  return std::find(controllers.begin(), controllers.end(), name) != controllers.end();
}

/// "/a/b" out of any spelling; ".." does not lead above the hierarchy's root.
std::string clean(std::string_view path) {
  std::vector<std::string_view> parts;
  while (!path.empty()) {
    const std::size_t end = path.find('/');
    const std::string_view part = path.substr(0, end);
    path.remove_prefix(end == std::string_view::npos ? path.size() : end + 1);
    if (part == ".." && !parts.empty()) {
      parts.pop_back();
    } else if (!part.empty() && part != "." && part != "..") {
      parts.push_back(part);
    }
  }
  std::string out;
  for (const std::string_view part : parts) {
    out.append("/").append(part);
  }
  return out;
}

/// A group with processes in it is somebody's: we would limit, and at the end kill, them.
/// Nor is it there at all, mostly.
Result<bool> is_there_empty(Sys& sys, const std::string& directory) {
  constexpr std::size_t kMaxBytes = 1 << 20;
  const auto procs = sys.read_file(AT_FDCWD, directory + "/cgroup.procs", kMaxBytes);
  if (!procs && procs.error().code == ErrorCode::NotFound) {
    return false;
  }
  if (procs && procs->empty()) {
    return true;
  }
  if (!procs && procs.error().code != ErrorCode::InvalidArgument) {
    return tl::unexpected(procs.error());
  }
  return fail(ErrorCode::InvalidArgument, directory + " has processes in it already");
}

/// Nothing would ever run in it.
Result<void> refuse_frozen(Sys& sys, const std::string& directory) {
  constexpr std::size_t kMaxBytes = 64;
  for (const char* file : {"/freezer.state", "/cgroup.freeze"}) {
    const auto text = sys.read_file(AT_FDCWD, directory + file, kMaxBytes);
    if (text && is_frozen(*text)) {
      return fail(ErrorCode::InvalidArgument, directory + " is frozen");
    }
  }
  return {};
}

/// An empty one is taken as it is, as runc does.
Result<void> refuse_unusable(Sys& sys, const std::string& directory) {
  return TRY(is_there_empty(sys, directory)) ? refuse_frozen(sys, directory) : Result<void>();
}

/// Hierarchies without a controller are for those who track processes; runc joins systemd's.
bool is_joined(const CgroupMount& mount) {
  return mount.v2 || std::any_of(mount.controllers.begin(), mount.controllers.end(),
                                 [](const std::string& controller) {
                                   return !controller.starts_with("name=") ||
                                          controller == "name=systemd";
                                 });
}

bool has_v1_controller(const CgroupMount& mount) {
  return std::any_of(
      mount.controllers.begin(), mount.controllers.end(),
      [](const std::string& controller) { return !controller.starts_with("name="); });
}

/// Version 1 wherever it has a controller: beside it a version 2 tree is empty.
void choose_groups(const std::vector<CgroupMount>& mounts, const std::string& path,
                   CgroupPlan* plan) {
  const bool v1 = std::any_of(mounts.begin(), mounts.end(), has_v1_controller);
  for (const CgroupMount& mount : mounts) {
    if (mount.v2 != v1 && is_joined(mount)) {
      plan->groups.push_back(
          {.mount_point = mount.mount_point, .path = path, .controllers = mount.controllers});
    }
  }
  if (!plan->groups.empty()) {
    plan->version = v1 ? CgroupVersion::V1 : CgroupVersion::V2;
  }
}

/// What has to be removed, parents first, and what tells whether the cells are frozen.
void name_directories(CgroupPlan* plan) {
  const bool v2 = plan->version == CgroupVersion::V2;
  for (const CgroupDirectory& group : plan->groups) {
    plan->directories.push_back(group.full());
    if (v2 || has(group.controllers, "freezer")) {
      plan->cells = group.full() + kCellsName;
      plan->directories.push_back(plan->cells);
      plan->freezer_file = plan->cells + (v2 ? "/cgroup.freeze" : "/freezer.state");
    }
  }
}

bool asks_for_limits(const oci::Resources& resources) {
  return !refuse_limits(resources);
}

}  // namespace

Result<CgroupPlan> plan_cgroup(Sys& sys, const oci::Config& config,
                               const std::string& default_path) {
  const oci::Resources& resources = config.resources;
  const bool by_default = config.cgroups_path.empty();
  if (by_default && (default_path.empty() || !asks_for_limits(resources))) {
    TRY(refuse_limits(resources));
    return CgroupPlan{};
  }
  const std::string path = clean(by_default ? default_path : config.cgroups_path);
  if (path.empty()) {
    return fail(ErrorCode::InvalidArgument,
                std::string(kPathPointer) + ": names the root of the control groups");
  }
  constexpr std::size_t kMaxMountInfo = 16 << 20;
  const std::string mounts = TRY(sys.read_file(AT_FDCWD, "/proc/self/mountinfo", kMaxMountInfo));
  CgroupPlan plan;
  choose_groups(cgroup_mounts(mounts), path, &plan);
  if (plan.version == CgroupVersion::None) {
    TRY(refuse_limits(resources));
    return plan;
  }
  name_directories(&plan);
  TRY(check_limits(plan, resources));
  for (const std::string& directory : plan.directories) {
    TRY(with_context(kPathPointer, refuse_unusable(sys, directory)));
  }
  return plan;
}

}  // namespace runhl::shim
