// SPDX-License-Identifier: Apache-2.0
// flock, and the record locks of fcntl.
#include "syscalls/lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "fs/file_locks.h"
#include "syscalls/context.h"
#include "syscalls/handlers.h"

namespace runhl::kernel {
namespace {

bool is_open_file_command(int command) {
  return command == F_OFD_GETLK || command == F_OFD_SETLK || command == F_OFD_SETLKW;
}

Result<LockRange> range_of(File& file, const struct flock& lock) {
  std::int64_t base = 0;
  switch (lock.l_whence) {
    case SEEK_SET:
      break;
    case SEEK_CUR:
      base = static_cast<std::int64_t>(TRY(file.seek(0, SEEK_CUR)));
      break;
    case SEEK_END:
      base = static_cast<std::int64_t>(TRY(file.attributes()).size);
      break;
    default:
      return fail(EINVAL);
  }
  std::int64_t start = 0;
  std::int64_t end = 0;
  if (__builtin_add_overflow(base, lock.l_start, &start)) {
    return fail(EOVERFLOW);
  }
  if (lock.l_len == 0) {
    return start < 0 ? fail(EINVAL)
                     : Result<LockRange>(LockRange{.start = static_cast<std::uint64_t>(start)});
  }
  // A negative length means the bytes in front of the start.
  if (__builtin_add_overflow(start, lock.l_len, &end)) {
    return fail(EOVERFLOW);
  }
  if (lock.l_len < 0) {
    std::swap(start, end);
  }
  if (start < 0) {
    return fail(EINVAL);
  }
  return LockRange{.start = static_cast<std::uint64_t>(start),
                   .end = static_cast<std::uint64_t>(end - 1)};
}

Result<LockType> type_of(const struct flock& lock) {
  switch (lock.l_type) {
    case F_RDLCK:
      return LockType::Shared;
    case F_WRLCK:
      return LockType::Exclusive;
    case F_UNLCK:
      return LockType::None;
    default:
      return fail(EINVAL);
  }
}

/// F_GETLK, and of an open file F_UNLCK asks for its own: the program's lock becomes the one in its
/// way, or F_UNLCK.
Result<void> tell_conflict(File& file, const LockRequest& wanted, struct flock& lock) {
  const LockRequest held = wanted.type == LockType::None ? TRY(find_own_lock(file, wanted))
                                                         : TRY(find_conflict(file, wanted));
  if (held.type == LockType::None) {
    lock.l_type = F_UNLCK;
    return {};
  }
  lock.l_type = held.type == LockType::Shared ? F_RDLCK : F_WRLCK;
  lock.l_whence = SEEK_SET;
  lock.l_start = static_cast<off_t>(held.range.start);
  lock.l_len = held.range.end == LockRange::kEnd
                   ? 0
                   : static_cast<off_t>(held.range.end - held.range.start + 1);
  lock.l_pid = held.owner.pid;
  return {};
}

}  // namespace

SyscallResult record_lock(const Ref<File>& file, int command, UserAddress argument) {
  struct flock lock = TRY(UserIn<struct flock>(argument).copy_in());
  const bool of_open_file = is_open_file_command(command);
  const bool test = command == F_GETLK || command == F_OFD_GETLK;
  if (of_open_file && lock.l_pid != 0) {
    return fail(EINVAL);
  }
  LockRequest request{.type = TRY(type_of(lock))};
  if (of_open_file) {
    request.owner = {.kind = FileLockKind::Open, .id = file.get()};
  } else {
    request.owner = {
        .kind = FileLockKind::Posix, .id = &current_files(), .pid = current().process->pid};
  }
  request.range = TRY(range_of(*file, lock));
  if (test) {
    if (request.type == LockType::None && !of_open_file) {
      return fail(EINVAL);
    }
    TRY(tell_conflict(*file, request, lock));
    TRY(UserOut<struct flock>(argument).copy_out(lock));
    return 0;
  }
  if ((request.type == LockType::Shared && !file->readable()) ||
      (request.type == LockType::Exclusive && !file->writable())) {
    return fail(EBADF);
  }
  const bool waits = command == F_SETLKW || command == F_OFD_SETLKW;
  TRY(lock_file(*file, request, waits ? LockWait::Yes : LockWait::No));
  return 0;
}

SyscallResult sys_flock(const SyscallArgs& args) {
  const std::uint32_t operation = to_u32(args.a1);
  LockRequest request;
  switch (operation & ~std::uint32_t{LOCK_NB}) {
    case LOCK_SH:
      request.type = LockType::Shared;
      break;
    case LOCK_EX:
      request.type = LockType::Exclusive;
      break;
    case LOCK_UN:
      break;
    default:
      return fail(EINVAL);
  }
  const Ref<File> file = TRY(current_files().get(to_fd(args.a0)));
  if (request.type != LockType::None && !file->readable() && !file->writable()) {
    return fail(EBADF);
  }
  request.owner = {.kind = FileLockKind::Flock, .id = file.get()};
  TRY(lock_file(*file, request, (operation & LOCK_NB) != 0 ? LockWait::No : LockWait::Yes));
  return 0;
}

}  // namespace runhl::kernel
