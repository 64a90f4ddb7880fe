// SPDX-License-Identifier: Apache-2.0
#include "growing_blob.h"

#include <unistd.h>

#include <algorithm>

#include "runhl/core/units.h"

namespace runhl::oci {
namespace {

constexpr std::size_t kPiece = 256 * kKiB;

}  // namespace

GrowingBlob::GrowingBlob(int fd, std::uint64_t size) : fd_(fd), size_(size), buffer_(kPiece) {}

void GrowingBlob::grown(std::uint64_t size) {
  {
    const std::lock_guard guard(mutex_);
    size_ = size;
  }
  changed_.notify_one();
}

void GrowingBlob::restart() {
  {
    const std::lock_guard guard(mutex_);
    size_ = 0;
    ++restarts_;
  }
  changed_.notify_one();
}

void GrowingBlob::end(Outcome outcome) {
  {
    const std::lock_guard guard(mutex_);
    ended_ = true;
    outcome_ = outcome;
  }
  changed_.notify_one();
}

Result<std::span<const std::byte>> GrowingBlob::read() {
  std::uint64_t size = 0;
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return ended_ || restarts_ != restarts_seen_ || size_ > offset_; });
    if (restarts_ != restarts_seen_ || (ended_ && outcome_ != Outcome::Good)) {
      return fail(ErrorCode::Io, "the download ended");
    }
    size = std::min<std::uint64_t>(size_ - offset_, buffer_.size());
  }
  // After a restart these may be other bytes: then the next read fails, before the reader is done.
  const ssize_t got = ::pread(fd_, buffer_.data(), size, static_cast<off_t>(offset_));
  if (got < 0) {
    return fail_errno("read what was downloaded");
  }
  if (got == 0 && size != 0) {
    return fail(ErrorCode::Io, "the download ended");
  }
  offset_ += static_cast<std::uint64_t>(got);
  return std::span<const std::byte>(buffer_).first(static_cast<std::size_t>(got));
}

GrowingBlob::Outcome GrowingBlob::outcome() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return ended_ || restarts_ != restarts_seen_; });
  offset_ = 0;
  if (restarts_ != restarts_seen_) {
    restarts_seen_ = restarts_;
    return Outcome::Restarted;
  }
  return outcome_;
}

}  // namespace runhl::oci
