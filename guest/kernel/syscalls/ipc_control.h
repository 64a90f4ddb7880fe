// SPDX-License-Identifier: Apache-2.0
// What semctl(2), shmctl(2) and msgctl(2) have in common.
#pragma once

#include "core/user_memory.h"
#include "ipc/ipc_status.h"
#include "syscalls/context.h"

namespace runhl::kernel {

/// IPC_STAT, *_STAT and *_STAT_ANY: the object's state to the program; where a place was named, the
/// result is the id of what is there.
template <typename Status>
SyscallResult tell_ipc_status(Result<std::int32_t> (&status_of)(std::int32_t, StatBy, Status&),
                              std::int32_t number, StatBy by, UserAddress to) {
  Status status;
  const std::int32_t id = TRY(status_of(number, by, status));
  TRY(UserOut<Status>(to).copy_out(status));
  return by == StatBy::Id ? 0U : static_cast<std::uint64_t>(id);
}

}  // namespace runhl::kernel
