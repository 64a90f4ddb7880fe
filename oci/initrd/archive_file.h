// SPDX-License-Identifier: Apache-2.0
// The archive as it grows: small pieces are collected, files are copied inside the host's kernel,
// with their holes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "runhl/base/result.h"

namespace runhl::initrd {

class ArchiveFile {
 public:
  explicit ArchiveFile(int fd) : fd_(fd) {}

  [[nodiscard]] std::uint64_t position() const { return flushed_ + pending_.size(); }
  Result<void> append(std::string_view bytes);
  /// Zeros up to a multiple of `alignment`.
  Result<void> pad(std::uint64_t alignment);
  /// `size` bytes of `from` at `offset`. Io: it ends before.
  Result<void> copy(int from, std::uint64_t offset, std::uint64_t size);
  /// Everything is in the file; its size.
  Result<std::uint64_t> finish();

 private:
  Result<void> flush();
  Result<std::uint64_t> copy_data(int from, std::uint64_t offset, std::uint64_t size);

  int fd_;
  std::uint64_t flushed_ = 0;
  std::string pending_;
};

}  // namespace runhl::initrd
