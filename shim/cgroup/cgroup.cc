// SPDX-License-Identifier: Apache-2.0
#include "runhl/shim/cgroup.h"

#include <fcntl.h>

#include <algorithm>
#include <array>

#include "cgroup/claim.h"
#include "cgroup/limits.h"

namespace runhl::shim {
namespace {

constexpr mode_t kMode = 0755;
constexpr std::size_t kMaxFile = 65'536;

Result<void> make_directory(Sys& sys, const std::string& path) {
  auto made = sys.mkdir(AT_FDCWD, path, kMode);
  if (!made && made.error().code == ErrorCode::AlreadyExists) {
    return {};
  }
  return made;
}

/// A new cpuset is empty and takes no process; what its parent has is what runc gives it.
Result<void> copy_cpuset(Sys& sys, const std::string& parent, const std::string& child) {
  for (const char* file : {"/cpuset.cpus", "/cpuset.mems"}) {
    const std::string own = TRY(sys.read_file(AT_FDCWD, child + file, kMaxFile));
    if (own.find_first_not_of(" \n") != std::string::npos) {
      continue;
    }
    TRY(sys.write_file(AT_FDCWD, child + file,
                       TRY(sys.read_file(AT_FDCWD, parent + file, kMaxFile))));
  }
  return {};
}

std::vector<std::string> words(std::string_view text) {
  std::vector<std::string> out;
  for (std::size_t at = text.find_first_not_of(" \n"); at != std::string_view::npos;) {
    const std::size_t end = std::min(text.find_first_of(" \n", at), text.size());
    out.emplace_back(text.substr(at, end - at));
    at = text.find_first_not_of(" \n", end);
  }
  return out;
}

/// Lets the children of a version 2 group have what it has itself. A controller that the host
/// refuses shows when a limit needs it, by pointer.
Result<void> enable_controllers(Sys& sys, const std::string& directory) {
  const std::string control = directory + "/cgroup.subtree_control";
  const auto all = words(TRY(sys.read_file(AT_FDCWD, directory + "/cgroup.controllers", kMaxFile)));
  const auto enabled = words(TRY(sys.read_file(AT_FDCWD, control, kMaxFile)));
  for (const std::string& name : all) {
    if (std::find(enabled.begin(), enabled.end(), name) == enabled.end()) {
      (void)sys.write_file(AT_FDCWD, control, "+" + name);
    }
  }
  return {};
}

using MakeLeaf = std::function<Result<void>(const std::string& directory)>;

/// All directories on the way, each prepared for the next one; the last one by `make_leaf`.
Result<void> make_group(Sys& sys, CgroupVersion version, const CgroupDirectory& group,
                        const MakeLeaf& make_leaf) {
  const auto& names = group.controllers;
  const bool cpuset = std::find(names.begin(), names.end(), "cpuset") != names.end();
  std::string parent = group.mount_point;
  for (std::size_t at = 0; at < group.path.size();) {
    const std::size_t end = std::min(group.path.find('/', at + 1), group.path.size());
    const std::string child = group.mount_point + group.path.substr(0, end);
    at = end;
    if (version == CgroupVersion::V2) {
      TRY(enable_controllers(sys, parent));
    }
    TRY(at == group.path.size() ? make_leaf(child) : make_directory(sys, child));
    if (cpuset) {
      TRY(copy_cpuset(sys, parent, child));
    }
    parent = child;
  }
  return {};
}

/// The first group says whose all of them are.
Result<void> make_groups(Sys& sys, const CgroupPlan& plan, UniqueFd* claim) {
  for (const CgroupDirectory& group : plan.groups) {
    TRY(make_group(sys, plan.version, group, [&](const std::string& leaf) -> Result<void> {
      if (*claim) {
        return make_directory(sys, leaf);
      }
      *claim = TRY(claim_group(sys, leaf, plan.owner));
      return {};
    }));
  }
  return plan.cells.empty() ? Result<void>() : make_directory(sys, plan.cells);
}

Result<void> write_limits(Sys& sys, const CgroupPlan& plan, const oci::Resources& resources,
                          CgroupOptions options) {
  for (const LimitWrite& limit : TRY(limit_writes(plan.version, resources, options))) {
    const CgroupDirectory* group = directory_of(plan, limit.controller);
    RUNHL_CHECK(group != nullptr);  // check_limits() has looked
    TRY(with_context(limit.pointer,
                     sys.write_file(AT_FDCWD, group->full() + "/" + limit.file, limit.text)));
  }
  return {};
}

Result<void> build(Sys& sys, const CgroupPlan& plan, const oci::Resources& resources,
                   CgroupOptions options, UniqueFd* claim) {
  TRY(with_context("/linux/cgroupsPath", make_groups(sys, plan, claim)));
  return write_limits(sys, plan, resources, options);
}

/// An OOM event can be missed, so what is not to be had is simply none.
OomWatch watch_own_oom(Sys& sys, const CgroupPlan& plan) {
  const CgroupDirectory* group = directory_of(plan, "memory");
  if (group == nullptr) {
    return {};
  }
  auto watch = watch_oom(sys, std::array{group->full()});
  return watch ? std::move(*watch) : OomWatch();
}

}  // namespace

Result<Cgroup> Cgroup::create(Sys& sys, CgroupPlan plan, const oci::Resources& resources,
                              CgroupOptions options) {
  if (plan.version == CgroupVersion::None) {
    return Cgroup(sys, std::move(plan));
  }
  UniqueFd claim;
  if (auto built = build(sys, plan, resources, options, &claim); !built) {
    claim.reset();  // whoever takes it now is left alone
    (void)remove_cgroup(sys, plan.directories, plan.owner, Leftovers::Keep);  // first error counts
    return tl::unexpected(std::move(built).error());
  }
  Cgroup group(sys, std::move(plan));
  group.claim_ = std::move(claim);
  return group;
}

Result<void> Cgroup::add(pid_t pid) {
  for (const CgroupDirectory& group : plan_.groups) {
    TRY(with_context("control group", sys_->write_file(AT_FDCWD, group.full() + "/cgroup.procs",
                                                       std::to_string(pid))));
  }
  return {};
}

Result<void> Cgroup::join() {
  for (const CgroupDirectory& group : plan_.groups) {
    TRY(with_context("control group",
                     sys_->write_file(AT_FDCWD, group.full() + "/tasks", "0")));  // the writer
  }
  return {};
}

Result<CgroupHandles> Cgroup::open_handles() {
  CgroupHandles handles;
  if (plan_.version == CgroupVersion::None) {
    return handles;
  }
  const bool v2 = plan_.version == CgroupVersion::V2;
  if (!plan_.cells.empty()) {
    UniqueFd& place = v2 ? handles.cells_directory : handles.cells_tasks;
    place = TRY(v2 ? sys_->open(AT_FDCWD, plan_.cells, O_RDONLY | O_DIRECTORY)
                   : sys_->open(AT_FDCWD, plan_.cells + "/tasks", O_WRONLY));
    handles.thaw = Thaw(TRY(sys_->open(AT_FDCWD, plan_.freezer_file, O_WRONLY)), plan_.version);
  }
  handles.oom = watch_own_oom(*sys_, plan_);
  return handles;
}

}  // namespace runhl::shim
