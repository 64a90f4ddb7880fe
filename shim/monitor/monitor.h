// SPDX-License-Identifier: Apache-2.0
// The monitor: the process that is the container for the host. The verb forks it; it never execs.
#pragma once

#include "lifecycle/setup_channel.h"
#include "runhl/oci/config.h"
#include "runhl/shim/cgroup.h"
#include "runhl/shim/lifecycle.h"

namespace runhl::shim {

/// What the fork hands over; the memory is the monitor's copy.
struct MonitorPlan {
  oci::Config config;
  ContainerState state;
  CgroupPlan cgroup;
  StateDir dir;
  UniqueFd exit_file;
  UniqueFd null_device;  // /dev/null: the container's device rules hold for the monitor soon
  SetupChannel channel;
  UniqueFd initrd;  ///< none: the root file system is the directory
  std::uint64_t rootfs_size = 0;
  GuestKind kind;
};

/// Sets the container up step by step with the verb, serves it, and returns the process's exit
/// code. Every failure before Ready has been told to the verb.
int run_monitor(MonitorPlan plan);

}  // namespace runhl::shim
