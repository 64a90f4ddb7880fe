// SPDX-License-Identifier: Apache-2.0
// config.json's resources as writes into cgroup files.
#pragma once

#include <string>
#include <vector>

#include "runhl/base/result.h"
#include "runhl/oci/config.h"
#include "runhl/shim/cgroup.h"

namespace runhl::shim {

struct LimitWrite {
  std::string pointer;     ///< where config.json asks for it
  std::string controller;  ///< v1: the hierarchy it belongs to
  std::string file;        ///< "memory.limit_in_bytes"
  std::string text;
};

/// In the order that the host accepts. A value of zero leaves a limit as it is, as engines mean it.
std::vector<LimitWrite> limit_writes_v1(const oci::Resources& resources, CgroupOptions options);

/// Errors: Unsupported, InvalidArgument, by pointer: version 2 has no such limit, or these two
/// contradict each other.
Result<std::vector<LimitWrite>> limit_writes_v2(const oci::Resources& resources,
                                                CgroupOptions options);

/// All writes for the plan's version.
Result<std::vector<LimitWrite>> limit_writes(CgroupVersion version, const oci::Resources& resources,
                                             CgroupOptions options);

/// The directory of the plan that `controller`'s files are in, nullptr if the host has none.
const CgroupDirectory* directory_of(const CgroupPlan& plan, const std::string& controller);

/// Whether the host has a place for each limit. Errors: as above.
Result<void> check_limits(const CgroupPlan& plan, const oci::Resources& resources);

}  // namespace runhl::shim
