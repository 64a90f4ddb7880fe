// SPDX-License-Identifier: Apache-2.0
// config.json's mounts as the guest's mount table, and the host trees that it needs.
#pragma once

#include <vector>

#include "runhl/oci/config.h"
#include "runhl/shim/jail.h"
#include "runhl/shim/lifecycle.h"
#include "runhl/vmm/machine.h"

namespace runhl::shim {

struct MountPlan {
  std::vector<TreeRequest> trees;
  std::vector<vmm::Mount> mounts;
};

struct RootPlan {
  RootfsMode mode = RootfsMode::Direct;
  std::uint64_t size = 0;  ///< Initrd: bytes of changes; 0: the memory limit
};

/// The root first, then config.json's mounts in order, then read-only and masked paths.
MountPlan plan_mounts(const oci::Config& config, const RootPlan& root);

}  // namespace runhl::shim
