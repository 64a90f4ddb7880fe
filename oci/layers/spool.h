// SPDX-License-Identifier: Apache-2.0
// The bytes of all files of an image, in one file without a name: gone with the process, whatever
// ends it. Holes stay holes, and what will lie on a page of the archive lies on one here, so that a
// file system that can share the blocks does.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "runhl/base/result.h"
#include "runhl/base/unique_fd.h"

namespace runhl::oci {

class Spool {
 public:
  static Result<Spool> create(const std::string& directory);

  [[nodiscard]] int fd() const { return fd_.get(); }
  /// Room for a file: where its first byte lies.
  std::uint64_t begin_file(std::uint64_t size);
  /// At a place in the last file. Errors: Io (disk full).
  Result<void> write(std::uint64_t at, std::span<const std::byte> bytes);
  void end_file() { end_ += file_size_; }
  /// Everything can be read, also where a file ends in a hole.
  Result<void> finish();

 private:
  explicit Spool(UniqueFd fd) : fd_(std::move(fd)) {}
  Result<void> flush();

  UniqueFd fd_;
  std::uint64_t end_ = 0, file_size_ = 0;
  std::string pending_;           // small files together
  std::uint64_t pending_at_ = 0;  // where they begin
};

}  // namespace runhl::oci
