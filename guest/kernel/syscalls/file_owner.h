// SPDX-License-Identifier: Apache-2.0
// fcntl's part that is about signals of files.
#pragma once

#include "fs/file.h"
#include "syscalls/syscall.h"

namespace runhl::kernel {

/// F_SETOWN, F_GETOWN, F_SETOWN_EX, F_GETOWN_EX, F_SETSIG, F_GETSIG; EINVAL: another command.
SyscallResult signal_owner(File& file, int command, std::uint64_t argument);
/// O_ASYNC on or off, through descriptor `fd`; files that cannot stay as they are.
Result<void> set_async(File& file, int fd, bool on);
bool can_be_async(File& file);

}  // namespace runhl::kernel
