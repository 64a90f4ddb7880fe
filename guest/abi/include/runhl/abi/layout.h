// SPDX-License-Identifier: Apache-2.0
// Where things lie in a guest address space. Host and guest include this one file.
//
//   0x0000_0000_0000  never mapped below 64 KiB (the host's mmap_min_addr): NULL faults
//   0x0000_0001_0000  user: ET_EXEC where linked; PIE near 0x5555_5555_4000; mmap top-down from
//                     0x6fff_f000_0000; stack below 0x6fff_ffff_f000 (each randomised at exec)
//   0x7000_0000_0000  window, one top-level page-table entry, the guest kernel's
//     +0x0000_0000    kernel text and rodata    R-X   of the kernel image, 16 MiB at most
//     +0x0100_0000    kernel data and bss       RW-   memfd
//     +0x0200_0000    host-call area            RW-   shared with the monitor (ring.h)
//     +0x0280_0000    monitor area              R--   written by the monitor alone (boot.h)
//     +0x0300_0000    the host's vvar and vdso, moved here
//     +0x1000_0000    carrier slots, 64 KiB each      memfd
//     +0x4000_0000    kernel heap, in-memory files    memfd, sparse
//     +0x20_0000_0000 file windows: read-only mappings of injected files
//     +0x40_0000_0000 initrd image
//   0x7080_0000_0000  end of the window; nothing is mapped above it in a cell
//
// The high 32 bits of every window address are 0x7000..0x707f, and all code that makes host calls
// lies in the first 16 MiB: the syscall filter tests `hi == 0x7000 && lo < kTextLimit`.
#pragma once

#include <cstdint>

#include "runhl/core/units.h"

namespace runhl::abi {

inline constexpr std::uint64_t kUserBase = 0x1'0000;
inline constexpr std::uint64_t kUserPieBase = 0x5555'5555'4000;
inline constexpr std::uint64_t kUserMmapTop = 0x6fff'f000'0000;
inline constexpr std::uint64_t kUserStackTop = 0x6fff'ffff'f000;
inline constexpr std::uint64_t kUserEnd = kUserStackTop;  // first address that is not the user's

inline constexpr std::uint64_t kWindowBase = 0x7000'0000'0000;
inline constexpr std::uint64_t kKernelText = kWindowBase;
inline constexpr std::uint64_t kTextLimit = 16 * kMiB;  // offset: host calls only below it
inline constexpr std::uint64_t kKernelData = kWindowBase + 0x0100'0000;
inline constexpr std::uint64_t kKernelDataSize = 16 * kMiB;
inline constexpr std::uint64_t kHostCallArea = kWindowBase + 0x0200'0000;
inline constexpr std::uint64_t kHostCallAreaSize = 8 * kMiB;
inline constexpr std::uint64_t kMonitorArea = kWindowBase + 0x0280'0000;
inline constexpr std::uint64_t kMonitorAreaMaxSize = 8 * kMiB;
inline constexpr std::uint64_t kVdsoArea = kWindowBase + 0x0300'0000;
inline constexpr std::uint64_t kVdsoAreaSize = 1 * kMiB;
inline constexpr std::uint64_t kCarrierSlots = kWindowBase + 0x1000'0000;
inline constexpr std::uint64_t kCarrierSlotSize = 64 * kKiB;
inline constexpr std::uint64_t kCarrierSlotCount = 12'288;
inline constexpr std::uint64_t kKernelHeap = kWindowBase + 0x4000'0000;
inline constexpr std::uint64_t kKernelHeapMaxSize = 64 * kGiB;
inline constexpr std::uint64_t kFileWindows = kWindowBase + 0x20'0000'0000;
inline constexpr std::uint64_t kFileWindowsSize = 128 * kGiB;
inline constexpr std::uint64_t kInitrd = kWindowBase + 0x40'0000'0000;
inline constexpr std::uint64_t kWindowEnd = kWindowBase + 0x80'0000'0000;

static_assert(kCarrierSlots + kCarrierSlotSize * kCarrierSlotCount == kKernelHeap);
static_assert(kKernelHeap + kKernelHeapMaxSize <= kFileWindows);

/// Kernel memory is one memfd: data, carrier slots and heap lie at `address - kKernelData` in it
/// (what lies between is never touched, so it costs nothing).
constexpr std::uint64_t memfd_offset(std::uint64_t address) {
  return address - kKernelData;
}

// A carrier slot, 64 KiB aligned, so that a signal handler finds its carrier from its own stack
// address: slot = rsp & ~(kCarrierSlotSize - 1).
inline constexpr std::uint64_t kSlotCanary = 0x0000;       // one page, first word is the canary
inline constexpr std::uint64_t kSlotSignalStack = 0x1000;  // 44 KiB, grows down from its end
inline constexpr std::uint64_t kSlotSignalStackSize = 44 * kKiB;
inline constexpr std::uint64_t kSlotIdleStack = 0xc000;  // 8 KiB
inline constexpr std::uint64_t kSlotIdleStackSize = 8 * kKiB;
inline constexpr std::uint64_t kSlotCarrier = 0xe000;  // the kernel's Carrier object
static_assert(kSlotSignalStack + kSlotSignalStackSize == kSlotIdleStack);
static_assert(kSlotIdleStack + kSlotIdleStackSize == kSlotCarrier);

// Descriptors of a cell. All cells of a container share one table.
inline constexpr int kFdKernelMemory = 3;
inline constexpr int kFdInitrd = 4;
inline constexpr int kFdSnapshot = 5;
inline constexpr int kFdDoorbell = 6;
inline constexpr int kFdInjectedFirst = 64;  // 64..1023: files that the monitor injected
inline constexpr int kFdInjectedLast = 1023;

/// The system call number of the reserved call: no Linux call has it; the first filter turns it
/// into a notification to the monitor. Its first argument is the request slot's index.
inline constexpr std::uint32_t kReservedCall = 0x1000;

}  // namespace runhl::abi
