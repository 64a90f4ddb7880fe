// SPDX-License-Identifier: Apache-2.0
// config.json's mounts as the guest's mount table, and the host trees that it needs.
#pragma once

#include <string>
#include <vector>

#include "runhl/oci/config.h"
#include "runhl/vmm/machine.h"

namespace runhl::shim {

/// A host directory or file to grant; its index is its number on the wire. 0 is the rootfs.
struct TreeRequest {
  std::string source;   ///< absolute host path
  std::string pointer;  ///< where config.json asks for it: "/root/path", "/mounts/3/source"
  bool read_only = false;
  bool recursive = false;
};

struct MountPlan {
  std::vector<TreeRequest> trees;
  std::vector<vmm::Mount> mounts;
};

/// The root first, then config.json's mounts in order, then read-only and masked paths.
MountPlan plan_mounts(const oci::Config& config);

}  // namespace runhl::shim
