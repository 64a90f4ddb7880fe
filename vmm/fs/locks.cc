// SPDX-License-Identifier: Apache-2.0
// The file service's locks: of open files, never waiting, so that one request does not hold up the
// others. They end with the handle.
#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>

#include "fs/file_service.h"

namespace runhl::vmm::fs {
namespace {

bool is_type(std::uint32_t mode) {
  return mode == F_RDLCK || mode == F_WRLCK || mode == F_UNLCK;
}

}  // namespace

std::int64_t FileService::record_lock(const abi::RequestSlot& request, FileAnswer& answer) {
  const EntryRef entry = entry_of(request.handle);
  if (entry == nullptr || entry->access == O_PATH) {
    return -EBADF;
  }
  if (!is_type(request.mode) || request.offset > kMaxOffset ||
      request.length > kMaxOffset - request.offset) {
    return -EINVAL;
  }
  struct flock lock{};
  lock.l_type = static_cast<short>(request.mode);
  lock.l_whence = SEEK_SET;
  lock.l_start = static_cast<off_t>(request.offset);
  lock.l_len = static_cast<off_t>(request.length);
  const bool test = request.op == abi::HostOp::TestLock;
  if (::fcntl(entry->fd.get(), test ? F_OFD_GETLK : F_OFD_SETLK, &lock) != 0) {
    return -errno;
  }
  if (test) {
    answer.reply.count = static_cast<std::uint32_t>(lock.l_type);
    answer.reply.cookie = static_cast<std::uint64_t>(lock.l_start);
    answer.reply.attr.size = static_cast<std::uint64_t>(lock.l_len);
  }
  return 0;
}

std::int64_t FileService::file_lock(const abi::RequestSlot& request) {
  const EntryRef entry = entry_of(request.handle);
  if (entry == nullptr || entry->access == O_PATH) {
    return -EBADF;
  }
  if (request.mode != LOCK_SH && request.mode != LOCK_EX && request.mode != LOCK_UN) {
    return -EINVAL;
  }
  return ::flock(entry->fd.get(), static_cast<int>(request.mode) | LOCK_NB) == 0 ? 0 : -errno;
}

}  // namespace runhl::vmm::fs
