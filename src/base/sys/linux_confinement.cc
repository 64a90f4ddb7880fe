// SPDX-License-Identifier: Apache-2.0
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sys/linux_sys.h"

namespace runhl {

int LinuxSys::landlock_abi() {
  const long abi =
      ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  return abi < 0 ? 0 : static_cast<int>(abi);
}

Result<UniqueFd> LinuxSys::landlock_create(std::uint64_t handled_file_access) {
  landlock_ruleset_attr attributes{};
  attributes.handled_access_fs = handled_file_access;
  return check_fd(
      ::syscall(SYS_landlock_create_ruleset, &attributes, sizeof(attributes.handled_access_fs), 0),
      "landlock_create_ruleset", "");
}

Result<void> LinuxSys::landlock_allow(int ruleset, int parent, std::uint64_t access,
                                      const std::string& what) {
  landlock_path_beneath_attr rule{};
  rule.allowed_access = access;
  rule.parent_fd = parent;
  return check_call(::syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0),
                    "landlock_add_rule", what);
}

Result<void> LinuxSys::landlock_restrict(int ruleset) {
  return check_call(::syscall(SYS_landlock_restrict_self, ruleset, 0), "landlock_restrict_self",
                    "");
}

Result<void> LinuxSys::set_seccomp_filter(std::span<const sock_filter> filter) {
  // SAFETY: the host only reads the program; its interface has no const.
  const sock_fprog program{.len = static_cast<unsigned short>(filter.size()),
                           .filter = const_cast<sock_filter*>(filter.data())};
  const long result =
      ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program);
  if (result > 0) {
    return fail(ErrorCode::Internal, "seccomp: a thread cannot take the filter over");
  }
  return check_call(result, "seccomp", "filter");
}

}  // namespace runhl
