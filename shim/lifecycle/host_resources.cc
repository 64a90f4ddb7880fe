// SPDX-License-Identifier: Apache-2.0
#include "lifecycle/host_resources.h"

#include "runhl/base/sys.h"
#include "runhl/shim/monitor_filter.h"
#include "runhl/shim/rootless.h"

namespace runhl::shim {

namespace {

/// Ids are unique in one root; engines have several.
std::string cgroup_owner(const ContainerState& state) {
  return state.id + " " + state.created;
}

}  // namespace

Result<CgroupPlan> plan_host_resources(const oci::Config& config, ContainerState* state) {
  Sys& sys = linux_sys();
  if (std::string missing = missing_file_rules(sys); !missing.empty()) {
    state->facts.push_back(std::move(missing));
  }
  if (TRY(privilege_of_caller(sys)) == Privilege::Rootless) {
    TRY(refuse_limits(config.resources));
    state->facts.emplace_back("no control groups: the caller has no privileges");
    return CgroupPlan{};
  }
  CgroupPlan plan = TRY(plan_cgroup(sys, config, "/" + state->id));
  plan.owner = cgroup_owner(*state);
  state->cgroups = {.directories = plan.directories, .freezer_file = plan.freezer_file};
  return plan;
}

Result<void> remove_host_resources(const ContainerState& state) {
  return remove_cgroup(linux_sys(), state.cgroups.directories, cgroup_owner(state),
                       Leftovers::Kill);
}

}  // namespace runhl::shim
