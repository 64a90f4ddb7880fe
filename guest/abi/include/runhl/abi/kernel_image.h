// SPDX-License-Identifier: Apache-2.0
// The first bytes of a kernel image, and the last step of the launcher.
//
// An image is the flat text+rodata (linked at kKernelText) and the flat initial data (linked at
// kKernelData). Cell 0, having mapped the window and closed everything else, jumps to
// header.launch_stub with rdi = &CellLaunch (in the window). The stub (guest/abi/launch_stub.S,
// part of every kernel, the hostile one too) unmaps all that lies outside the window, installs the
// strict filter and jumps to header.entry with rdi = &CellLaunch on `stack`.
#pragma once

#include <cstdint>

#include "runhl/abi/layout.h"

namespace runhl::abi {

inline constexpr std::uint64_t kKernelMagic = 0x316c'6e72'6b6c'6872;  // "rhlkrnl1"

struct KernelHeader {  // at kKernelText
  std::uint64_t magic;
  std::uint32_t abi_version;  // kAbiVersion
  std::uint32_t reserved;
  std::uint64_t text_size;        // bytes of text and rodata, a multiple of kPageSize
  std::uint64_t data_size;        // bytes of initial data; the memfd behind them is zero (bss)
  std::uint64_t launch_stub;      // addresses
  std::uint64_t entry;            // of cell 0, C++ may run there
  std::uint64_t signal_entry;     // handler of SYS SEGV BUS FPE ILL TRAP ALRM CHLD
  std::uint64_t signal_restorer;  // SA_RESTORER
};

/// Filled by the launcher at the top of carrier slot 0's idle stack.
struct CellLaunch {
  std::uint64_t stack;  // initial rsp of the kernel: kCarrierSlots + idle stack, below this
  std::uint64_t entry;  // = KernelHeader::entry
  std::uint64_t unmap1_start, unmap1_length;
  std::uint64_t unmap2_start, unmap2_length;
  std::uint64_t filter;  // address of a struct sock_fprog, it and its instructions in the window
};

// For launch_stub.S.
inline constexpr unsigned kLaunchStack = 0, kLaunchEntry = 8, kLaunchUnmap1 = 16,
                          kLaunchUnmap2 = 32, kLaunchFilter = 48;
static_assert(__builtin_offsetof(CellLaunch, stack) == kLaunchStack);
static_assert(__builtin_offsetof(CellLaunch, entry) == kLaunchEntry);
static_assert(__builtin_offsetof(CellLaunch, unmap1_start) == kLaunchUnmap1);
static_assert(__builtin_offsetof(CellLaunch, unmap2_start) == kLaunchUnmap2);
static_assert(__builtin_offsetof(CellLaunch, filter) == kLaunchFilter);

}  // namespace runhl::abi
