// SPDX-License-Identifier: Apache-2.0
// Read-only mappings of injected files in the kernel's window, so that read() of a file that is
// read again and again is a copy from the host's page cache. They belong to an address space: a
// forked child starts without and maps over what it inherited.
//
//   kFileWindows + i * kChunk: [chunk of a file]  16 of them, the longest unused one goes first
//
// Windows may promise more than there is (a truncated file, a mapping that went with a cell): a
// fault in the copy ends the read there, and the caller asks the host for the rest.
#pragma once

#include <array>
#include <cstdint>

#include "core/result.h"
#include "fs/io_buffer.h"
#include "runhl/abi/layout.h"
#include "sched/locks.h"

namespace runhl::kernel {

class Node;

class FileWindows {
 public:
  FileWindows() = default;
  FileWindows(const FileWindows&) = delete;
  FileWindows& operator=(const FileWindows&) = delete;
  ~FileWindows() = default;

  /// Copies up to `size` bytes at `offset` into a program's buffer; fewer, or none, where no window
  /// can be had. `serial` tells open files apart, for ever.
  std::size_t read(Node& node, std::uint64_t serial, IoBuffer& buffer, std::uint64_t offset,
                   std::size_t size);
  /// The file is closed, whatever locks the caller holds: the calling cell holds its pages no
  /// longer.
  void forget(std::uint64_t serial);
  /// The calling cell begins anew, perhaps with mappings from before a fork.
  void reset();

 private:
  static constexpr std::uint64_t kChunk = 4 * kMiB;
  static constexpr std::size_t kCount = 16;
  struct Window {
    std::uint64_t serial = 0;  // 0: free
    std::uint64_t chunk = 0;
    std::uint64_t last_use = 0;
  };

  [[nodiscard]] std::uint64_t address_of(const Window& window) const {
    return abi::kFileWindows + static_cast<std::uint64_t>(&window - windows_.data()) * kChunk;
  }
  Window* find_or_map(Node& node, std::uint64_t serial, std::uint64_t chunk);

  Mutex lock_{LockRank::FileWindows};
  std::array<Window, kCount> windows_;
  std::uint64_t uses_ = 0;
};

}  // namespace runhl::kernel
