// SPDX-License-Identifier: Apache-2.0
#include "lock.h"

#include <fcntl.h>

namespace runhl::oci {
namespace {

Result<UniqueFd> open_lock(int directory) {
  UniqueFd fd(::openat(directory, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
  return fd ? Result<UniqueFd>(std::move(fd)) : fail_errno("the store's lock");
}

struct flock range_of(LockByte byte, LockKind kind) {
  struct flock range{};
  range.l_type = kind == LockKind::Shared ? F_RDLCK : F_WRLCK;
  range.l_whence = SEEK_SET;
  range.l_start = static_cast<off_t>(byte);
  range.l_len = 1;
  return range;
}

}  // namespace

Result<UniqueFd> lock_store(int directory, LockByte byte, LockKind kind) {
  UniqueFd fd = TRY(open_lock(directory));
  struct flock range = range_of(byte, kind);
  while (::fcntl(fd.get(), F_OFD_SETLKW, &range) < 0) {
    if (errno != EINTR) {
      return fail_errno("the store's lock");
    }
  }
  return fd;
}

Result<UniqueFd> try_lock_store(int directory, LockByte byte, LockKind kind) {
  UniqueFd fd = TRY(open_lock(directory));
  struct flock range = range_of(byte, kind);
  if (::fcntl(fd.get(), F_OFD_SETLK, &range) == 0) {
    return fd;
  }
  return errno == EAGAIN || errno == EACCES ? Result<UniqueFd>(UniqueFd())
                                            : fail_errno("the store's lock");
}

}  // namespace runhl::oci
