// SPDX-License-Identifier: Apache-2.0
#include "archive_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <span>

#include "runhl/base/file_io.h"
#include "runhl/core/units.h"

namespace runhl::initrd {
namespace {

constexpr std::size_t kCollected = std::size_t{256} << 10U;

/// Where copy_file_range does not reach (another file system, an old kernel).
Result<std::uint64_t> copy_by_buffer(int from, std::uint64_t offset, int to, std::uint64_t at,
                                     std::uint64_t size) {
  std::array<char, 65536> buffer;
  const ssize_t got = ::pread(from, buffer.data(), std::min<std::uint64_t>(size, buffer.size()),
                              static_cast<off_t>(offset));
  if (got < 0) {
    return fail_errno("read");
  }
  TRY(write_all_at(to, {buffer.data(), static_cast<std::size_t>(got)}, at, "write archive"));
  return static_cast<std::uint64_t>(got);
}

}  // namespace

Result<void> ArchiveFile::flush() {
  TRY(write_all_at(fd_, pending_, flushed_, "write archive"));
  flushed_ += pending_.size();
  pending_.clear();
  return {};
}

Result<void> ArchiveFile::append(std::string_view bytes) {
  if (bytes.size() >= kCollected) {
    TRY(flush());
    TRY(write_all_at(fd_, bytes, flushed_, "write archive"));
    flushed_ += bytes.size();
    return {};
  }
  pending_ += bytes;
  return pending_.size() >= kCollected ? flush() : Result<void>{};
}

Result<void> ArchiveFile::pad(std::uint64_t alignment) {
  const std::uint64_t missing = align_up(position(), alignment) - position();
  return append(std::string(missing, '\0'));
}

/// Some bytes at the front of the range; 0: `from` ends here.
Result<std::uint64_t> ArchiveFile::copy_data(int from, std::uint64_t offset, std::uint64_t size) {
  auto in = static_cast<off64_t>(offset);
  auto out = static_cast<off64_t>(flushed_);
  const ssize_t done = ::copy_file_range(from, &in, fd_, &out, size, 0);
  if (done > 0) {
    return static_cast<std::uint64_t>(done);
  }
  if (done < 0 && errno == ENOSPC) {
    return fail_errno("write archive");
  }
  // Also after 0: some file systems answer that where read() has bytes.
  return copy_by_buffer(from, offset, fd_, flushed_, size);
}

Result<void> ArchiveFile::copy(int from, std::uint64_t offset, std::uint64_t size) {
  constexpr std::uint64_t kSmall = 65536;
  if (size < kSmall) {
    const std::size_t at = pending_.size();
    pending_.resize(at + size);
    TRY(read_all_at(from, std::as_writable_bytes(std::span(pending_).subspan(at)), offset, "read"));
    return append({});
  }
  TRY(flush());
  const std::uint64_t end = offset + size;
  struct stat info{};
  if (::fstat(from, &info) < 0) {
    return fail_errno("read");
  }
  if (static_cast<std::uint64_t>(info.st_size) < end) {  // the rest would look like a hole
    return runhl::fail(ErrorCode::Io, "read: became shorter while it was read");
  }
  while (offset < end) {
    // Holes are skipped: what is never written reads as zeros.
    off_t data = ::lseek(from, static_cast<off_t>(offset), SEEK_DATA);
    if (data < 0) {
      data = static_cast<off_t>(errno == ENXIO ? end : offset);
    }
    const std::uint64_t skip = std::min(static_cast<std::uint64_t>(data), end) - offset;
    offset += skip;
    flushed_ += skip;
    if (offset == end) {
      break;
    }
    const off_t hole = ::lseek(from, static_cast<off_t>(offset), SEEK_HOLE);
    const std::uint64_t piece =
        std::min(end, hole < 0 ? end : static_cast<std::uint64_t>(hole)) - offset;
    const std::uint64_t done = TRY(copy_data(from, offset, piece));
    if (done == 0) {
      return runhl::fail(ErrorCode::Io, "read: became shorter while it was read");
    }
    offset += done;
    flushed_ += done;
  }
  return {};
}

Result<std::uint64_t> ArchiveFile::finish() {
  TRY(flush());
  if (::ftruncate(fd_, static_cast<off_t>(flushed_)) < 0) {
    return fail_errno("write archive");
  }
  return flushed_;
}

}  // namespace runhl::initrd
