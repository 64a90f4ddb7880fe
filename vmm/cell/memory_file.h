// SPDX-License-Identifier: Apache-2.0
// The two files in memory behind a guest's window: the kernel's own memory, which cells write, and
// the monitor area, which they can only read.
#pragma once

#include <cstdint>

#include "runhl/abi/boot.h"
#include "runhl/base/result.h"
#include "runhl/base/unique_fd.h"
#include "runhl/vmm/kernel_image.h"

namespace runhl::vmm::cell {

/// Kernel data, carrier slots and `heap_size` bytes of heap (abi::memfd_offset); sparse, its size
/// sealed; the image's initial data is copied in.
Result<UniqueFd> make_kernel_memory(const KernelImage& kernel, std::uint64_t heap_size);

/// The monitor page and what follows it.
struct MonitorArea {
  Mapping mapping;         ///< writable, the monitor's; the only one there will ever be
  UniqueFd file;           ///< what the cell maps; sealed against every other writer
  std::uint64_t size = 0;  ///< whole pages

  [[nodiscard]] abi::MonitorPage& page() const;
};

/// An area of `size` bytes, zeroed. Shared anonymous memory would not do: a cell may make that
/// writable with mprotect. Here the host refuses it: of a file that is sealed against future
/// writes it gives shared mappings for reading only, and those cannot be made writable
/// (F_SEAL_FUTURE_WRITE, Linux 5.1).
Result<MonitorArea> make_monitor_area(std::uint64_t size);

}  // namespace runhl::vmm::cell
