// SPDX-License-Identifier: Apache-2.0
#include "monitor/process_spec.h"

#include <sys/resource.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "lifecycle/passwd.h"

namespace runhl::shim {
namespace {

constexpr std::uint32_t kDefaultUmask = 022;

/// Root gains its bounding set at execve, anybody else keeps the ambient one.
std::uint64_t after_exec(const oci::Process& process, const oci::CapabilitySets& sets) {
  return process.user.uid == 0 ? sets.bounding : sets.ambient;
}

void set_limits(const std::vector<oci::ConfigRlimit>& given, std::vector<vmm::Rlimit>& limits) {
  for (const oci::ConfigRlimit& limit : given) {
    const auto slot = std::find_if(limits.begin(), limits.end(), [&](const vmm::Rlimit& one) {
      return one.resource == limit.resource;
    });
    if (slot != limits.end()) {
      slot->soft = limit.soft;
      slot->hard = limit.hard;
    }
  }
}

}  // namespace

std::vector<vmm::Rlimit> inherited_limits() {
  std::vector<vmm::Rlimit> limits;
  for (int resource = 0; resource < RLIM_NLIMITS; ++resource) {
    rlimit own{};
    if (::getrlimit(static_cast<__rlimit_resource>(resource), &own) == 0) {
      limits.push_back({.resource = resource, .soft = own.rlim_cur, .hard = own.rlim_max});
    }
  }
  return limits;
}

vmm::ProcessSpec process_spec(const oci::Config& config, std::vector<vmm::Rlimit> inherited) {
  const oci::Process& process = config.process;
  vmm::ProcessSpec spec;
  spec.args = process.args;
  spec.env = process.env;
  add_home(config.root_path, process.user.uid, &spec.env);
  spec.cwd = process.cwd.empty() ? "/" : process.cwd;
  spec.uid = process.user.uid;
  spec.gid = process.user.gid;
  spec.groups = process.user.additional_gids;
  spec.umask = process.user.umask.value_or(kDefaultUmask);
  spec.no_new_privileges = process.no_new_privileges;
  if (process.capabilities) {
    const oci::CapabilitySets& sets = *process.capabilities;
    spec.cap_effective = spec.cap_permitted = after_exec(process, sets);
    spec.cap_inheritable = sets.inheritable;
    spec.cap_bounding = sets.bounding;
    spec.cap_ambient = sets.ambient;
  }
  spec.rlimits = std::move(inherited);
  set_limits(process.rlimits, spec.rlimits);
  return spec;
}

vmm::Ceiling ceiling_of(const oci::Config& config) {
  const oci::Process& process = config.process;
  return {.uid = process.user.uid,
          .gid = process.user.gid,
          .groups = process.user.additional_gids,
          .capabilities = process.capabilities ? after_exec(process, *process.capabilities) : 0};
}

Result<bool> wants(const std::map<std::string, std::string>& annotations,
                   const std::string& annotation) {
  const auto found = annotations.find(annotation);
  if (found == annotations.end() || found->second == "on") {
    return true;
  }
  if (found->second == "off") {
    return false;
  }
  return fail(ErrorCode::InvalidArgument,
              "/annotations/" + annotation + ": \"" + found->second + "\" is neither on nor off");
}

}  // namespace runhl::shim
