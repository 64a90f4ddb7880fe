// SPDX-License-Identifier: Apache-2.0
// Which control group hierarchies the host has mounted.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace runhl::shim {

struct CgroupMount {
  std::string mount_point;
  bool v2 = false;
  std::vector<std::string> controllers;  ///< v1: "memory", "name=systemd", ...; v2: none
};

/// Out of the text of /proc/self/mountinfo (proc(5)). A hierarchy that is mounted twice counts
/// once, at its first place.
std::vector<CgroupMount> cgroup_mounts(std::string_view mount_info);

}  // namespace runhl::shim
