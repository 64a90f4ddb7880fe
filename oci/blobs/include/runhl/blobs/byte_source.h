// SPDX-License-Identifier: Apache-2.0
// Content that comes in pieces, from wherever it is.
//
//   FileBytes blob(fd);
//   while (!(piece = TRY(blob.read())).empty()) …
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "runhl/base/result.h"

namespace runhl::oci {

class ByteSource {
 public:
  ByteSource() = default;
  ByteSource(const ByteSource&) = delete;
  ByteSource& operator=(const ByteSource&) = delete;
  ByteSource(ByteSource&&) = delete;
  ByteSource& operator=(ByteSource&&) = delete;
  virtual ~ByteSource() = default;

  /// The next bytes, valid until the next call; none at the end.
  virtual Result<std::span<const std::byte>> read() = 0;
};

/// All of a file, from its beginning; the descriptor is borrowed and its position does not count.
class FileBytes final : public ByteSource {
 public:
  explicit FileBytes(int fd);
  Result<std::span<const std::byte>> read() override;

 private:
  int fd_;
  std::uint64_t offset_ = 0;
  std::vector<std::byte> buffer_;
};

}  // namespace runhl::oci
