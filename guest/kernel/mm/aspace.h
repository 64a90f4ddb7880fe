// SPDX-License-Identifier: Apache-2.0
// What the common VMA layer (mm/) asks of the isolation: one page-level operation each. In a cell
// the host pages and copies on write, and these are host calls on the current cell's own mappings;
// on KVM they will change page tables. Addresses and lengths are whole pages inside user space.
//
// The caller holds the mm lock and no spinlock: a host mm call may take microseconds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "core/result.h"

namespace runhl::kernel::aspace {

enum Protection : std::uint32_t { kRead = 1, kWrite = 2, kExecute = 4 };  // = PROT_*

enum class Sharing : std::uint8_t { Private, Shared };

/// What a file mapping shows: a descriptor injected into the cells' table, kernel memory, the
/// initrd, zeros (private mappings alone), or nothing: a touch is SIGBUS, whatever the protection.
struct Backing {
  enum class Kind : std::uint8_t { Injected, KernelMemory, Initrd, Zero, BeyondEnd };
  Kind kind = Kind::Injected;
  int slot = -1;                             // Injected: kFdInjectedFirst..Last
  std::uint64_t offset = 0;                  // bytes in the file, or memfd offset; page-aligned
  std::uint64_t length = ~std::uint64_t{0};  // bytes that lie there in one piece; whole pages
};

Result<void> map_anon(std::uint64_t address, std::uint64_t length, std::uint32_t protection);
Result<void> map_file(std::uint64_t address, std::uint64_t length, std::uint32_t protection,
                      const Backing& backing, Sharing sharing);
Result<void> unmap(std::uint64_t address, std::uint64_t length);
Result<void> protect(std::uint64_t address, std::uint64_t length, std::uint32_t protection);
/// Moves a mapping to `to`, which the caller has made free; the lengths may differ (growth).
Result<void> move(std::uint64_t from, std::uint64_t from_length, std::uint64_t to,
                  std::uint64_t to_length);
Result<void> discard(std::uint64_t address, std::uint64_t length);  // MADV_DONTNEED
Result<void> advise(std::uint64_t address, std::uint64_t length,
                    int advice);  // MADV_*HUGEPAGE, ...
/// One byte a page from `address` on: bit 0 says that it is in memory. ENOMEM: not all is mapped.
Result<void> resident(std::uint64_t address, std::span<std::byte> pages);

}  // namespace runhl::kernel::aspace
