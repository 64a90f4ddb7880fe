// SPDX-License-Identifier: Apache-2.0
// Declares every handler that the table names.
#pragma once

#include "syscalls/syscall.h"
#include "syscalls/table.h"

namespace runhl::kernel {

#define RUNHL_DECLARE_HANDLER(number, name, handler, support, locks, missing) \
  SyscallResult handler(const SyscallArgs& args);
RUNHL_SYSCALL_TABLE(RUNHL_DECLARE_HANDLER)
#undef RUNHL_DECLARE_HANDLER

}  // namespace runhl::kernel
