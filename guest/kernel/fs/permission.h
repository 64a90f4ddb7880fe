// SPDX-License-Identifier: Apache-2.0
// Linux's discretionary access check, for file systems that the guest serves itself and for
// access(2). Files of the host are checked by the host as well.
#pragma once

#include <cstdint>

#include "core/result.h"
#include "proc/credentials.h"
#include "runhl/abi/ring.h"

namespace runhl::kernel {

enum Access : std::uint32_t { kAccessExecute = 1, kAccessWrite = 2, kAccessRead = 4 };

/// Whose identity is asked about: file system ids with the effective capabilities, or, for
/// access(2), the real ids.
struct AccessIdentity {
  std::uint32_t uid = 0, gid = 0;
  std::uint64_t capabilities = 0;
  const Credentials* groups = nullptr;
};
AccessIdentity file_identity(const Credentials& credentials);
AccessIdentity real_identity(const Credentials& credentials);

[[nodiscard]] bool in_group(const AccessIdentity& who, std::uint32_t gid);
/// EACCES unless every bit of `wanted` is granted.
Result<void> check_access(const abi::FileAttr& attr, const AccessIdentity& who,
                          std::uint32_t wanted);

}  // namespace runhl::kernel
