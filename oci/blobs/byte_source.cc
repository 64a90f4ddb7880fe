// SPDX-License-Identifier: Apache-2.0
#include "runhl/blobs/byte_source.h"

#include <unistd.h>

#include "runhl/core/units.h"

namespace runhl::oci {
namespace {

constexpr std::size_t kPiece = 256 * kKiB;

}  // namespace

FileBytes::FileBytes(int fd) : fd_(fd), buffer_(kPiece) {}

Result<std::span<const std::byte>> FileBytes::read() {
  const ssize_t got = ::pread(fd_, buffer_.data(), buffer_.size(), static_cast<off_t>(offset_));
  if (got < 0) {
    return fail_errno("read content");
  }
  offset_ += static_cast<std::uint64_t>(got);
  return std::span<const std::byte>(buffer_).first(static_cast<std::size_t>(got));
}

}  // namespace runhl::oci
