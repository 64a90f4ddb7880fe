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
  UniqueFd read_only;      ///< what the cell maps
  std::uint64_t size = 0;  ///< whole pages

  [[nodiscard]] abi::MonitorPage& page() const;
};

/// An area of `size` bytes, zeroed. Shared anonymous memory would not do: a cell may make that
/// writable with mprotect. Here the host refuses it, since the cell's descriptor is read-only and
/// no other one can be had.
/// @param proc_dir the host's /proc, for opening the file a second time
Result<MonitorArea> make_monitor_area(std::uint64_t size, int proc_dir);

}  // namespace runhl::vmm::cell
