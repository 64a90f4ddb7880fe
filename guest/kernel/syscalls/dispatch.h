// SPDX-License-Identifier: Apache-2.0
// From an entry to the handler in the table and back.
#pragma once

#include <cstdint>

#include "proc/task.h"

namespace runhl::kernel {

/// A trapped call (SIGSYS); `architecture` is AUDIT_ARCH_* of the instruction.
void syscall_trapped(UserFrame& frame, std::uint32_t architecture);

/// A jump to the vsyscall page, where the host has none: does the call and returns to the caller.
/// False: `address` is not one of its entries.
bool emulate_vsyscall(UserFrame& frame, std::uint64_t address);

}  // namespace runhl::kernel
