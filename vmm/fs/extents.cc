// SPDX-License-Identifier: Apache-2.0
// The file service's operations on ranges of an open file's bytes, and on its file system.
#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "fs/file_service.h"

namespace runhl::vmm::fs {
namespace {

constexpr std::uint32_t kAllocateModes = FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE |
                                         FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_ZERO_RANGE |
                                         FALLOC_FL_INSERT_RANGE | FALLOC_FL_UNSHARE_RANGE;
// One request must not hold up the others for long; the guest asks again for what is left.
constexpr std::uint64_t kMaxCopy = 8ULL << 20;

bool is_range(std::uint64_t offset, std::uint64_t length) {
  return offset <= kMaxOffset && length <= kMaxOffset - offset;
}

}  // namespace

std::int64_t FileService::allocate(const abi::RequestSlot& request, FileAnswer& answer) {
  const EntryRef entry = entry_of(request.handle);
  if (entry == nullptr || (entry->access != O_WRONLY && entry->access != O_RDWR)) {
    return -EBADF;
  }
  if (!is_range(request.offset, request.length)) {
    return -EINVAL;
  }
  if ((request.mode & ~kAllocateModes) != 0) {
    return -EOPNOTSUPP;
  }
  if (::fallocate(entry->fd.get(), static_cast<int>(request.mode),
                  static_cast<off_t>(request.offset), static_cast<off_t>(request.length)) != 0) {
    return -errno;
  }
  (void)attributes_of(entry->fd.get(), answer.reply.attr);  // done all the same
  return 0;
}

std::int64_t FileService::seek(const abi::RequestSlot& request) {
  const EntryRef entry = entry_of(request.handle);
  if (entry == nullptr || entry->access == O_PATH) {
    return -EBADF;
  }
  if (entry->directory || (request.mode != SEEK_DATA && request.mode != SEEK_HOLE)) {
    return -EINVAL;
  }
  if (request.offset > kMaxOffset) {
    return -ENXIO;
  }
  // The descriptor's position is nobody's: reads and writes name theirs.
  const off_t found =
      ::lseek(entry->fd.get(), static_cast<off_t>(request.offset), static_cast<int>(request.mode));
  return found < 0 ? -errno : found;
}

std::int64_t FileService::sync_range(const abi::RequestSlot& request) {
  const EntryRef entry = entry_of(request.handle);
  if (entry == nullptr || entry->access == O_PATH) {
    return -EBADF;
  }
  if (!is_range(request.offset, request.length)) {
    return -EINVAL;
  }
  return ::sync_file_range(entry->fd.get(), static_cast<off_t>(request.offset),
                           static_cast<off_t>(request.length), request.mode) == 0
             ? 0
             : -errno;
}

std::int64_t FileService::sync_fs(abi::Handle handle) {
  const EntryRef entry = entry_of(handle);
  if (entry == nullptr || entry->access == O_PATH) {
    return -EBADF;
  }
  return ::syncfs(entry->fd.get()) == 0 ? 0 : -errno;
}

std::int64_t FileService::copy_range(const abi::RequestSlot& request) {
  const EntryRef from = entry_of(request.handle);
  const EntryRef to = entry_of(request.handle2);
  if (from == nullptr || from->access == O_WRONLY || from->access == O_PATH || to == nullptr ||
      (to->access != O_WRONLY && to->access != O_RDWR)) {
    return -EBADF;
  }
  if (from->directory) {
    return -EISDIR;
  }
  if (!is_range(request.offset, request.length) || !is_range(request.offset2, request.length)) {
    return -EINVAL;
  }
  auto in = static_cast<off64_t>(request.offset);
  auto out = static_cast<off64_t>(request.offset2);
  const ssize_t done = ::copy_file_range(from->fd.get(), &in, to->fd.get(), &out,
                                         std::min(request.length, kMaxCopy), 0);
  return done < 0 ? -errno : done;
}

}  // namespace runhl::vmm::fs
