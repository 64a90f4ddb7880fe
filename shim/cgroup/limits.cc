// SPDX-License-Identifier: Apache-2.0
#include "cgroup/limits.h"

#include <algorithm>

namespace runhl::shim {

Result<std::vector<LimitWrite>> limit_writes(CgroupVersion version, const oci::Resources& resources,
                                             CgroupOptions options) {
  if (version == CgroupVersion::V2) {
    return limit_writes_v2(resources, options);
  }
  if (!resources.unified.empty()) {
    return fail(ErrorCode::Unsupported,
                "/linux/resources/unified: this host's control groups are of version 1");
  }
  return limit_writes_v1(resources, options);
}

const CgroupDirectory* directory_of(const CgroupPlan& plan, const std::string& controller) {
  if (plan.version == CgroupVersion::V2) {
    return &plan.groups.front();
  }
  for (const CgroupDirectory& group : plan.groups) {
    const auto& names = group.controllers;
    if (std::find(names.begin(), names.end(), controller) != names.end()) {
      return &group;
    }
  }
  return nullptr;
}

Result<void> check_limits(const CgroupPlan& plan, const oci::Resources& resources) {
  for (const LimitWrite& write : TRY(limit_writes(plan.version, resources, {}))) {
    if (directory_of(plan, write.controller) == nullptr) {
      return fail(ErrorCode::Unsupported, write.pointer +
                                              ": this host has no control group controller \"" +
                                              write.controller + "\"");
    }
  }
  return {};
}

}  // namespace runhl::shim
