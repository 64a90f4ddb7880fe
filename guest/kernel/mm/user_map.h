// SPDX-License-Identifier: Apache-2.0
// What the fault and rewriting paths ask of the VMA layer about the current process.
#pragma once

#include <cstdint>

#include "core/result.h"
#include "core/user_memory.h"

namespace runhl::kernel {

struct MappingInfo {
  UserAddress start = 0, end = 0;
  std::uint32_t protection = 0;  // PROT_*
  bool shared = false;
};

/// The mapping that holds `address`; ENOMEM when there is none. Takes the mm lock.
Result<MappingInfo> find_mapping(UserAddress address);

inline constexpr std::uint64_t kAnnexSize = 64 * 1024;

/// An annex: kAnnexSize bytes within 1.9 GiB of `near`, mapped anonymous, private, PROT_READ |
/// PROT_EXEC, in the VMA tree as special (a program's unmap of it is allowed and its own fault).
/// Holds the trampolines of rewritten system call sites. Takes the mm lock.
Result<UserAddress> reserve_annex(UserAddress near);

}  // namespace runhl::kernel
