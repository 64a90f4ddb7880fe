// SPDX-License-Identifier: Apache-2.0
#include "runhl/shim/capabilities.h"

#include <linux/capability.h>
#include <sys/prctl.h>

#include <algorithm>
#include <cerrno>

namespace runhl::shim {
namespace {

constexpr std::uint64_t bit(unsigned capability) {
  return std::uint64_t{1} << capability;
}

constexpr unsigned kHighestPossible = 63;

/// A user namespace without privilege outside denies setgroups even to its root.
bool denied_by_user_namespace(Sys& sys, const Error& error) {
  const auto held = sys.capabilities();
  return error.os_errno == EPERM && held && (held->effective & bit(CAP_SETGID)) != 0;
}

Result<void> take_groups(Sys& sys, const vmm::Ceiling& ceiling) {
  auto set = sys.set_groups(ceiling.groups);
  if (set || !denied_by_user_namespace(sys, set.error())) {
    return set;
  }
  const bool nothing_beyond =
      std::all_of(ceiling.groups.begin(), ceiling.groups.end(),
                  [&](std::uint32_t group) { return group == ceiling.gid; });
  return nothing_beyond ? Result<void>() : set;
}

/// One that the host does not know ends the row. Without SETPCAP nothing can be taken out; no
/// execve will ever look at the set (monitor_filter.h).
Result<void> empty_bounding_set(Sys& sys) {
  for (unsigned capability = 0; capability <= kHighestPossible; ++capability) {
    const auto dropped = sys.prctl(PR_CAPBSET_DROP, capability, "PR_CAPBSET_DROP");
    if (dropped) {
      continue;
    }
    const int error = dropped.error().os_errno;
    return error == EINVAL || error == EPERM ? Result<void>() : tl::unexpected(dropped.error());
  }
  return {};
}

}  // namespace

std::uint64_t monitor_capabilities() {
  return bit(CAP_CHOWN) | bit(CAP_DAC_OVERRIDE) | bit(CAP_FOWNER) | bit(CAP_FSETID) |
         bit(CAP_SETGID) | bit(CAP_SETUID) | bit(CAP_NET_BIND_SERVICE) | bit(CAP_NET_RAW) |
         bit(CAP_MKNOD) | bit(CAP_SETFCAP);
}

Result<vmm::Ceiling> cut_ceiling(Sys& sys, vmm::Ceiling ceiling, Privilege privilege) {
  const CapabilityState held = TRY(sys.capabilities());
  ceiling.capabilities &= monitor_capabilities() & held.permitted;
  if (privilege == Privilege::Rootless) {
    ceiling.capabilities &= ~(bit(CAP_SETUID) | bit(CAP_SETGID));
  }
  return ceiling;
}

Result<void> become_ceiling(Sys& sys, const vmm::Ceiling& ceiling) {
  TRY(sys.prctl(PR_SET_KEEPCAPS, 1, "PR_SET_KEEPCAPS"));
  TRY(with_context("/process/user/additionalGids", take_groups(sys, ceiling)));
  TRY(with_context("/process/user/gid", sys.set_gids(ceiling.gid)));
  TRY(with_context("/process/user/uid", sys.set_uids(ceiling.uid)));
  CapabilityState state = TRY(sys.capabilities());
  state.effective = state.permitted;  // leaving uid 0 has emptied it
  TRY(sys.set_capabilities(state));
  TRY(sys.prctl(PR_SET_KEEPCAPS, 0, "PR_SET_KEEPCAPS"));
  TRY(sys.prctl(PR_SET_DUMPABLE, 1, "PR_SET_DUMPABLE"));
  return {};
}

Result<void> drop_capabilities(Sys& sys, const vmm::Ceiling& ceiling) {
  TRY(empty_bounding_set(sys));
  TRY(sys.set_capabilities(
      {.effective = ceiling.capabilities, .permitted = ceiling.capabilities, .inheritable = 0}));
  TRY(sys.prctl(PR_SET_NO_NEW_PRIVS, 1, "PR_SET_NO_NEW_PRIVS"));
  return {};
}

}  // namespace runhl::shim
