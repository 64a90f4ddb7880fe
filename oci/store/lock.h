// SPDX-License-Identifier: Apache-2.0
// A byte of a store's lock file. Locks belong to the opened file, so they end with the last
// descriptor, also by SIGKILL.
#pragma once

#include <cstdint>

#include "runhl/base/result.h"
#include "runhl/base/unique_fd.h"

namespace runhl::oci {

enum class LockByte : std::uint8_t { Content = 0, Index = 1 };
enum class LockKind : std::uint8_t { Shared, Exclusive };

/// Waits for it.
Result<UniqueFd> lock_store(int directory, LockByte byte, LockKind kind);
/// None: somebody else has it.
Result<UniqueFd> try_lock_store(int directory, LockByte byte, LockKind kind);

}  // namespace runhl::oci
