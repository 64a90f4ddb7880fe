// SPDX-License-Identifier: Apache-2.0
// Files in memory that become shorter while they are mapped. What is mapped behind the new end is
// a bus error from then on; the host cannot see to that, since the pages are the kernel's. So each
// address space does it for itself before its program runs on: the cutter's at once, others when
// they are next given a CPU.
#pragma once

#include <cstdint>

namespace runhl::kernel {

/// Locks up to rank Inode may be held.
void mapped_file_was_cut();
/// Of the current process, on the way to user code.
void mend_cut_mappings();
/// How often it has happened: an address space that has seen as many has nothing to do.
std::uint32_t file_cut_count();

}  // namespace runhl::kernel
