// SPDX-License-Identifier: Apache-2.0
// Linux's rules for changing who a task is (credentials(7), capabilities(7)). Pure.
#pragma once

#include "core/result.h"
#include "proc/credentials.h"

namespace runhl::kernel {

inline constexpr std::uint32_t kKeepId = ~0U;  // -1 in setres*id

Result<void> change_uid(Credentials& c, std::uint32_t uid);  // setuid
Result<void> change_reuid(Credentials& c, std::uint32_t ruid, std::uint32_t euid);
Result<void> change_resuid(Credentials& c, std::uint32_t ruid, std::uint32_t euid,
                           std::uint32_t suid);
Result<void> change_gid(Credentials& c, std::uint32_t gid);
Result<void> change_regid(Credentials& c, std::uint32_t rgid, std::uint32_t egid);
Result<void> change_resgid(Credentials& c, std::uint32_t rgid, std::uint32_t egid,
                           std::uint32_t sgid);
/// setfsuid, setfsgid: the old value, whatever happens.
std::uint32_t change_fsuid(Credentials& c, std::uint32_t uid);
std::uint32_t change_fsgid(Credentials& c, std::uint32_t gid);

struct CapabilitySets {
  std::uint64_t effective = 0, permitted = 0, inheritable = 0;
};
Result<void> change_capabilities(Credentials& c, const CapabilitySets& wanted);  // capset

}  // namespace runhl::kernel
