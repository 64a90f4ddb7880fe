// SPDX-License-Identifier: Apache-2.0
#include "runhl/shim/rootless.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>

#include <array>

namespace runhl::shim {
namespace {

std::string one_id_map(std::uint32_t inside, std::uint32_t outside) {
  return std::to_string(inside) + " " + std::to_string(outside) + " 1\n";
}

Result<void> write_maps(Sys& sys, int proc, InsideIds inside, InsideIds outside) {
  // Without privilege a gid map is taken only once supplementary groups can no longer be dropped.
  TRY(sys.write_file(proc, "self/setgroups", "deny"));
  TRY(sys.write_file(proc, "self/uid_map", one_id_map(inside.uid, outside.uid)));
  return sys.write_file(proc, "self/gid_map", one_id_map(inside.gid, outside.gid));
}

}  // namespace

Result<Privilege> privilege_of_caller(Sys& sys) {
  const CapabilityState state = TRY(sys.capabilities());
  const bool may_mount = (state.effective >> CAP_SYS_ADMIN & 1) != 0;
  return may_mount ? Privilege::Full : Privilege::Rootless;
}

Result<Privilege> enter_user_namespace_if_needed(Sys& sys, int proc, InsideIds inside) {
  if (TRY(privilege_of_caller(sys)) == Privilege::Full) {
    return Privilege::Full;
  }
  // Read before: afterwards they are the overflow ids.
  const InsideIds outside{.uid = sys.effective_uid(), .gid = sys.effective_gid()};
  TRY(with_context("rootless: this host does not let an unprivileged process make a user namespace",
                   sys.unshare(CLONE_NEWUSER, "user namespace")));
  TRY(with_context("rootless", write_maps(sys, proc, inside, outside)));
  return Privilege::Rootless;
}

Result<void> refuse_limits(const oci::Resources& resources) {
  struct Limit {
    bool asked;
    const char* pointer;
  };
  const auto bounds = [](const std::optional<std::int64_t>& value) {
    return value.value_or(0) > 0;
  };
  const std::array limits = {
      Limit{bounds(resources.memory_limit), "memory/limit"},
      Limit{bounds(resources.memory_reservation), "memory/reservation"},
      Limit{bounds(resources.memory_swap), "memory/swap"},
      Limit{resources.memory_swappiness.has_value(), "memory/swappiness"},
      Limit{resources.disable_oom_killer.value_or(false), "memory/disableOOMKiller"},
      Limit{resources.cpu_shares.value_or(0) != 0, "cpu/shares"},
      Limit{bounds(resources.cpu_quota), "cpu/quota"},
      Limit{resources.cpu_period.value_or(0) != 0, "cpu/period"},
      Limit{!resources.cpuset_cpus.empty(), "cpu/cpus"},
      Limit{!resources.cpuset_mems.empty(), "cpu/mems"},
      Limit{bounds(resources.pids_limit), "pids/limit"},
      Limit{!resources.unified.empty(), "unified"},
  };
  for (const Limit& limit : limits) {
    if (limit.asked) {
      return fail(ErrorCode::Unsupported,
                  std::string("/linux/resources/") + limit.pointer +
                      ": there is no control group here that could hold this limit");
    }
  }
  return {};
}

}  // namespace runhl::shim
