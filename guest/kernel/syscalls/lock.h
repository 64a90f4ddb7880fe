// SPDX-License-Identifier: Apache-2.0
// fcntl's commands for record locks.
#pragma once

#include "fs/file.h"
#include "syscalls/syscall.h"

namespace runhl::kernel {

/// F_GETLK, F_SETLK, F_SETLKW and their forms for open files.
SyscallResult record_lock(const Ref<File>& file, int command, UserAddress argument);

}  // namespace runhl::kernel
