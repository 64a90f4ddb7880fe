// SPDX-License-Identifier: Apache-2.0
// Who a task is. Copied by value: a task's credentials change only by its own calls.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "runhl/abi/ring.h"

namespace runhl::kernel {

struct Credentials {
  std::uint32_t uid = 0, euid = 0, suid = 0, fsuid = 0;
  std::uint32_t gid = 0, egid = 0, sgid = 0, fsgid = 0;
  std::uint32_t group_count = 0;
  std::array<std::uint32_t, abi::kMaxGroups> groups{};
  std::uint64_t effective = 0, permitted = 0, inheritable = 0, bounding = 0, ambient = 0;
  std::uint32_t securebits = 0;
  std::uint64_t serial = 0;  // of this very set of them: others may look the same

  [[nodiscard]] bool has(unsigned capability) const { return (effective >> capability & 1) != 0; }
};

inline constinit std::atomic<std::uint64_t> g_last_credentials{0};

/// A process, a program and each change begin with credentials of their own; threads share theirs.
inline void renew_credentials(Credentials& credentials) {
  credentials.serial = g_last_credentials.fetch_add(1, std::memory_order_relaxed) + 1;
}

}  // namespace runhl::kernel
