// SPDX-License-Identifier: Apache-2.0
#include "runhl/shim/cgroup.h"

#include <fcntl.h>

#include <algorithm>
#include <charconv>
#include <memory>

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

/// All directories on the way, each prepared for the next one.
Result<void> make_group(Sys& sys, CgroupVersion version, const CgroupDirectory& group) {
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
    TRY(make_directory(sys, child));
    if (cpuset) {
      TRY(copy_cpuset(sys, parent, child));
    }
    parent = child;
  }
  return {};
}

Result<void> make_groups(Sys& sys, const CgroupPlan& plan) {
  for (const CgroupDirectory& group : plan.groups) {
    TRY(make_group(sys, plan.version, group));
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
                   CgroupOptions options) {
  TRY(with_context("/linux/cgroupsPath", make_groups(sys, plan)));
  return write_limits(sys, plan, resources, options);
}

/// An OOM event can be missed, so what is not to be had is simply none.
void watch_oom(Sys& sys, const CgroupPlan& plan, CgroupHandles* handles) {
  const CgroupDirectory* group = directory_of(plan, "memory");
  const bool v2 = plan.version == CgroupVersion::V2;
  if (group == nullptr) {
    return;
  }
  const std::string file = group->full() + (v2 ? "/memory.events" : "/memory.oom_control");
  auto counter = sys.open(AT_FDCWD, file, O_RDONLY);
  auto event = v2 ? sys.watch_file(AT_FDCWD, file) : sys.event_fd();
  if (!counter || !event) {
    return;
  }
  if (!v2) {
    const std::string request = std::to_string(event->get()) + " " + std::to_string(counter->get());
    if (!sys.write_file(AT_FDCWD, group->full() + "/cgroup.event_control", request)) {
      return;
    }
  }
  handles->oom_event = std::move(*event);
  handles->oom_counter = std::move(*counter);
}

}  // namespace

Result<Cgroup> Cgroup::create(Sys& sys, CgroupPlan plan, const oci::Resources& resources,
                              CgroupOptions options) {
  if (plan.version == CgroupVersion::None) {
    return Cgroup(sys, std::move(plan));
  }
  if (auto built = build(sys, plan, resources, options); !built) {
    (void)remove_cgroup(sys, plan.directories, Leftovers::Keep);  // the first error counts
    return tl::unexpected(std::move(built).error());
  }
  return Cgroup(sys, std::move(plan));
}

Result<void> Cgroup::add(pid_t pid) {
  for (const CgroupDirectory& group : plan_.groups) {
    TRY(with_context("control group", sys_->write_file(AT_FDCWD, group.full() + "/cgroup.procs",
                                                       std::to_string(pid))));
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
    UniqueFd& place = v2 ? handles.cells_directory : handles.cells_procs;
    place = TRY(v2 ? sys_->open(AT_FDCWD, plan_.cells, O_RDONLY | O_DIRECTORY)
                   : sys_->open(AT_FDCWD, plan_.cells + "/cgroup.procs", O_WRONLY));
    // A root-owned file system of the kernel's: O_RDWR also tells the monitor the state.
    handles.freeze = TRY(sys_->open(AT_FDCWD, plan_.freezer_file, O_RDWR));
  }
  watch_oom(*sys_, plan_, &handles);
  return handles;
}

std::function<Result<void>(int pid)> place_cell(Sys& sys, UniqueFd cells_procs) {
  if (!cells_procs) {
    return [](int) -> Result<void> { return {}; };
  }
  // std::function copies: the descriptor's second owner is every copy of it.
  auto procs = std::make_shared<const UniqueFd>(std::move(cells_procs));
  return [&sys, procs](int pid) {
    return sys.write(procs->get(), std::to_string(pid), "the cells' cgroup.procs");
  };
}

bool is_frozen(std::string_view freezer_text) {
  return freezer_text.starts_with("FROZEN") || freezer_text.starts_with("1");
}

std::uint64_t oom_kills(std::string_view counter_text) {
  constexpr std::string_view kKey = "oom_kill ";
  std::size_t at = counter_text.starts_with(kKey) ? 0 : counter_text.find("\noom_kill ");
  if (at == std::string_view::npos) {
    return 0;
  }
  at += kKey.size() + (at == 0 ? 0 : 1);
  std::uint64_t count = 0;
  (void)std::from_chars(counter_text.data() + at, counter_text.data() + counter_text.size(), count);
  return count;
}

}  // namespace runhl::shim
