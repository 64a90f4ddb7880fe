// SPDX-License-Identifier: Apache-2.0
// A container's control groups: cgroupfs of version 1 (also where a version 2 tree lies beside it
// empty) or version 2.
//
//   verb      CgroupPlan plan = TRY(plan_cgroup(sys, config, "/" + id));  // touches nothing
//             state.cgroups = {plan.directories, plan.freezer_file};     // before anything is made
//             Cgroup group = TRY(Cgroup::create(sys, plan, config.resources, options));
//             TRY(group.add(monitor));                                // version 2
//   monitor   // before the jail hides it:
//             Cgroup group = Cgroup::made(sys, plan);
//             TRY(group.join());                                      // version 1
//             CgroupHandles handles = TRY(group.open_handles());
//             spec.cell_cgroup = std::move(handles.cells_directory);  // version 2
//             spec.cell_tasks = std::move(handles.cells_tasks);       // version 1
//   delete    TRY(remove_cgroup(sys, state.cgroups.directories, owner, Leftovers::Kill));
//
//   <controller>/<cgroupsPath>          monitor and cells: what the engine reads and limits
//   <freezer>/<cgroupsPath>/cells       cells alone: freezing them leaves the monitor alive
//                                       (version 2: the same child in the one tree; no controller
//                                       is enabled in it, so that both may hold processes)
//
// Without a cgroupsPath and without a limit nothing is made: the container stays in the caller's
// groups.
//
// Two containers may name one path. Whose the groups are says an attribute of the first directory,
// user.runhl.owner, which is only changed and acted on under that directory's flock:
//
//   create   makes or opens it, locks it, looks that nobody is in it, writes its owner down, makes
//            the rest, puts the monitor in, unlocks. Empty groups are taken as they are.
//   delete   locks it, and leaves alone what has another owner
//
// Who moves another process into a group waits for a grace period of the host's RCU, 5 to 10 ms.
// Version 1 moves a thread that asks for itself without: there the monitor, which has one thread by
// then, and cell 0 enter by themselves, while the verb holds the lock. In version 2 the verb places
// the monitor while that is at work, and cell 0 is born in its place.
//
// Device rules are written as given on version 1. On version 2 they would need a BPF program, and
// hold without: every granted tree is mounted nodev and the file service opens regular files and
// directories alone, so no device node of the host is ever opened for a guest.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runhl/base/result.h"
#include "runhl/base/sys.h"
#include "runhl/base/unique_fd.h"
#include "runhl/oci/config.h"
#include "runhl/shim/oom_watch.h"

namespace runhl::shim {

enum class CgroupVersion : std::uint8_t { None, V1, V2 };

/// One directory that the monitor is placed in.
struct CgroupDirectory {
  std::string mount_point;               ///< "/sys/fs/cgroup/memory"
  std::string path;                      ///< below it: "/docker/<id>"
  std::vector<std::string> controllers;  ///< v1: those of this mount; v2: none

  [[nodiscard]] std::string full() const { return mount_point + path; }
};

struct CgroupPlan {
  CgroupVersion version = CgroupVersion::None;
  std::vector<CgroupDirectory> groups;
  std::string cells;  ///< the cells' own group, absolute; empty: none

  // What outlives the monitor: goes into the state file.
  std::vector<std::string> directories;  ///< absolute, ours to remove, the claimed one first
  std::string freezer_file;              ///< v1 freezer.state, v2 cgroup.freeze; empty: none

  std::string owner;  ///< what no other container writes into a group; at most 1024 bytes

  /// By join() instead of add().
  [[nodiscard]] bool joined_by_member() const { return version == CgroupVersion::V1; }
};

/// Where config.json wants the container to be. Reads the mount table, changes nothing.
/// @param default_path used where limits are asked for and no cgroupsPath is given, as runc does
/// Errors: InvalidArgument (/linux/cgroupsPath names the root, or a group with processes in it or
/// that is frozen),
/// Unsupported (a limit that this host's cgroups do not have, by pointer).
Result<CgroupPlan> plan_cgroup(Sys& sys, const oci::Config& config,
                               const std::string& default_path = {});

/// Whether the text of a plan's freezer_file says that the cells stand still.
bool is_frozen(std::string_view freezer_text);

/// Stops the cells by a plan's freezer_file, and returns when they stand still; they go on after an
/// error. Errors: Timeout.
Result<void> freeze_cells(Sys& sys, const std::string& freezer_file);
Result<void> thaw_cells(Sys& sys, const std::string& freezer_file);

struct CgroupOptions {
  /// Host tasks beside the guest's: the monitor's threads and cell 0. Added to pids.max, so that
  /// the guest can have exactly what config.json says.
  std::int64_t pids_overhead = 0;
};

/// Lets cells go on that the freezer has stopped.
class Thaw {
 public:
  Thaw() = default;
  /// @param file freezer.state or cgroup.freeze, open for writing
  Thaw(UniqueFd file, CgroupVersion version) : file_(std::move(file)), version_(version) {}
  explicit operator bool() const { return static_cast<bool>(file_); }
  /// Nothing happens to cells that are not frozen.
  Result<void> operator()(Sys& sys) const;

 private:
  UniqueFd file_;
  CgroupVersion version_ = CgroupVersion::None;
};

/// What must be open before the jail hides the file system.
struct CgroupHandles {
  UniqueFd cells_directory;  ///< v2: for CLONE_INTO_CGROUP
  UniqueFd cells_tasks;      ///< v1: the cells group's tasks, for writing
  Thaw thaw;                 ///< none without cells
  OomWatch oom;              ///< none where it is not to be had
};

class Cgroup {
 public:
  /// Claims and makes the groups, copies cpusets, writes the limits. What was made before an error
  /// is removed. Nobody else takes the groups while this object lives.
  /// Errors begin with the JSON pointer of the limit that the host refused; InvalidArgument
  /// (/linux/cgroupsPath): another container has them, or is taking them.
  static Result<Cgroup> create(Sys& sys, CgroupPlan plan, const oci::Resources& resources,
                               CgroupOptions options = {});

  /// The groups that another process has made of the plan.
  static Cgroup made(Sys& sys, CgroupPlan plan) { return {sys, std::move(plan)}; }

  /// Places a process into every group of the plan. Error ESRCH: it is gone.
  Result<void> add(pid_t pid);

  /// Places the calling process, which has one thread, into every group of a version 1 plan.
  Result<void> join();

  Result<CgroupHandles> open_handles();

  [[nodiscard]] const CgroupPlan& plan() const { return plan_; }

 private:
  Cgroup(Sys& sys, CgroupPlan plan) : sys_(&sys), plan_(std::move(plan)) {}

  Sys* sys_;
  CgroupPlan plan_;
  UniqueFd claim_;  ///< the first directory, locked; none: made by another process
};

enum class Leftovers : std::uint8_t { Keep, Kill };

/// Removes the directories of a plan, children first; one that is gone is no error, nor are groups
/// that another container has taken: they stay. EBUSY is retried for at most a second: the last
/// process may still be being reaped. With Leftovers::Kill processes that are still in the groups
/// are killed first.
/// Works from the state file alone. Errors: Io, naming the directory that stays.
Result<void> remove_cgroup(Sys& sys, std::span<const std::string> directories,
                           const std::string& owner, Leftovers leftovers);

}  // namespace runhl::shim
