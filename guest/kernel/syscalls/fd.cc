// SPDX-License-Identifier: Apache-2.0
// open, close, dup, fcntl, ioctl: descriptors and what they refer to.
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "fs/objects/pipe.h"
#include "fs/tmpfs/memory_file.h"
#include "fs/vfs.h"
#include "syscalls/context.h"
#include "syscalls/file_owner.h"
#include "syscalls/handlers.h"
#include "syscalls/lock.h"

namespace runhl::kernel {
namespace {

// <linux/close_range.h>
constexpr std::uint32_t kCloseRangeUnshare = 2;
constexpr std::uint32_t kCloseRangeCloexec = 4;

// O_LARGEFILE as the kernel has it; the C library's is 0.
constexpr std::uint32_t kLargeFile = 0100000;

// What open(2) knows; other bits are ignored as Linux does.
constexpr std::uint32_t kOpenFlags = O_ACCMODE | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_APPEND |
                                     O_NONBLOCK | O_DSYNC | O_SYNC | O_ASYNC | O_DIRECT |
                                     kLargeFile | O_DIRECTORY | O_NOFOLLOW | O_NOATIME | O_CLOEXEC |
                                     O_PATH | O_TMPFILE;
// What F_SETFL may change.
constexpr std::uint32_t kSettableFlags = O_APPEND | O_NONBLOCK | O_DIRECT | O_NOATIME;

CloseOnExec to_close_on_exec(bool set) {
  return set ? CloseOnExec::Yes : CloseOnExec::No;
}

SyscallResult do_open(int dirfd, UserAddress path, std::uint32_t flags, std::uint32_t mode) {
  flags &= kOpenFlags;
  if ((flags & O_PATH) != 0) {
    flags &= O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  } else {
    flags |= kLargeFile;  // always, for 64-bit programs
  }
  constexpr std::uint32_t kUnnamed = O_TMPFILE & ~std::uint32_t{O_DIRECTORY};
  if ((flags & (O_CREAT | kUnnamed)) == 0) {
    mode = 0;
  }
  TRY(check_open_flags(flags));
  const Owned<PathWalk> walk = TRY(walk_from(dirfd, path));
  Ref<File> file = TRY(vfs_open(*walk, {.flags = flags, .mode = mode}));
  const int fd = TRY(current_files().install(
      std::move(file), to_close_on_exec((flags & O_CLOEXEC) != 0), descriptor_limit()));
  return static_cast<std::uint64_t>(fd);
}

SyscallResult duplicate(int fd, std::uint64_t lowest, CloseOnExec close_on_exec) {
  Ref<File> file = TRY(current_files().get_any(fd));
  const int copy = TRY(current_files().install(std::move(file), close_on_exec, descriptor_limit(),
                                               static_cast<int>(lowest)));
  return static_cast<std::uint64_t>(copy);
}

SyscallResult duplicate_to(int fd, int target, CloseOnExec close_on_exec) {
  Ref<File> file = TRY(current_files().get_any(fd));
  if (target < 0 || static_cast<std::uint64_t>(target) >= descriptor_limit()) {
    return fail(EBADF);
  }
  TRY(current_files().replace(target, std::move(file), close_on_exec));
  return static_cast<std::uint64_t>(target);
}

SyscallResult set_nonblocking(File& file, UserAddress argument) {
  const int on = TRY(UserIn<int>(argument).copy_in());
  const std::uint32_t bit = O_NONBLOCK;
  file.set_flags(on != 0 ? file.flags() | bit : file.flags() & ~bit);
  return 0;
}

SyscallResult sealing(File& file, int command, std::uint32_t more) {
  if (command == F_ADD_SEALS && !file.writable()) {
    return fail(EPERM);
  }
  const Ref<Node> node = file.node();
  std::atomic<std::uint32_t>* const seals = node == nullptr ? nullptr : node->seals();
  if (seals == nullptr) {
    return fail(EINVAL);
  }
  if (command == F_GET_SEALS) {
    return seals->load();
  }
  TRY(add_seals(*seals, more));
  return 0;
}

/// No file system here has leases, as some of Linux's.
SyscallResult lease(File& file, int command, int type) {
  if (command == F_GETLEASE) {
    return std::uint64_t{F_UNLCK};
  }
  const abi::FileAttr attr = TRY(file.attributes());
  const Credentials& who = current().credentials;
  if (attr.uid != who.fsuid && !who.has(CAP_LEASE)) {
    return fail(EACCES);
  }
  return fail(S_ISREG(attr.mode) && type == F_UNLCK ? EAGAIN : EINVAL);
}

SyscallResult set_async_by_ioctl(File& file, int fd, UserAddress argument) {
  const bool on = TRY(UserIn<int>(argument).copy_in()) != 0;
  if (on != ((file.flags() & O_ASYNC) != 0) && !can_be_async(file)) {
    return fail(ENOTTY);
  }
  TRY(set_async(file, fd, on));
  return 0;
}

}  // namespace

SyscallResult sys_open(const SyscallArgs& args) {
  return do_open(AT_FDCWD, args.a0, to_u32(args.a1), to_u32(args.a2));
}

SyscallResult sys_openat(const SyscallArgs& args) {
  return do_open(to_fd(args.a0), args.a1, to_u32(args.a2), to_u32(args.a3));
}

SyscallResult sys_creat(const SyscallArgs& args) {
  return do_open(AT_FDCWD, args.a0, O_CREAT | O_WRONLY | O_TRUNC, to_u32(args.a1));
}

SyscallResult sys_close(const SyscallArgs& args) {
  TRY(current_files().close(to_fd(args.a0)));
  return 0;
}

SyscallResult sys_close_range(const SyscallArgs& args) {
  const std::uint32_t flags = to_u32(args.a2);
  if ((flags & ~(kCloseRangeUnshare | kCloseRangeCloexec)) != 0 ||
      to_u32(args.a0) > to_u32(args.a1)) {
    return fail(EINVAL);
  }
  if ((flags & kCloseRangeUnshare) != 0 && current_files().use_count() > 1) {
    Ref<FdTable> own = TRY(current_files().copy());
    const Ref<FdTable> shared(std::exchange(current().files, own.detach()), false);
  }
  if ((flags & kCloseRangeCloexec) != 0) {
    current_files().mark_range(to_u32(args.a0), to_u32(args.a1));
  } else {
    current_files().close_range(to_u32(args.a0), to_u32(args.a1));
  }
  return 0;
}

SyscallResult sys_dup(const SyscallArgs& args) {
  return duplicate(to_fd(args.a0), 0, CloseOnExec::No);
}

SyscallResult sys_dup2(const SyscallArgs& args) {
  if (to_fd(args.a0) == to_fd(args.a1)) {
    TRY(current_files().get_any(to_fd(args.a0)));
    return args.a1;
  }
  return duplicate_to(to_fd(args.a0), to_fd(args.a1), CloseOnExec::No);
}

SyscallResult sys_dup3(const SyscallArgs& args) {
  if ((to_u32(args.a2) & ~std::uint32_t{O_CLOEXEC}) != 0 || to_fd(args.a0) == to_fd(args.a1)) {
    return fail(EINVAL);
  }
  return duplicate_to(to_fd(args.a0), to_fd(args.a1), to_close_on_exec(args.a2 != 0));
}

SyscallResult sys_fcntl(const SyscallArgs& args) {
  const int fd = to_fd(args.a0);
  const int command = to_fd(args.a1);
  const Ref<File> file = TRY(current_files().get_any(fd));
  const bool path_only = (file->flags() & O_PATH) != 0;
  switch (command) {
    case F_DUPFD:
    case F_DUPFD_CLOEXEC:
      if (to_u32(args.a2) >= descriptor_limit()) {
        return fail(EINVAL);
      }
      return duplicate(fd, to_u32(args.a2), to_close_on_exec(command == F_DUPFD_CLOEXEC));
    case F_GETFD:
      return TRY(current_files().close_on_exec(fd)) == CloseOnExec::Yes ? 1U : 0U;
    case F_SETFD:
      TRY(current_files().set_close_on_exec(fd, to_close_on_exec((args.a2 & FD_CLOEXEC) != 0)));
      return 0;
    case F_GETFL:
      return file->flags();
    default:
      break;
  }
  if (path_only) {
    return fail(EBADF);
  }
  switch (command) {
    case F_SETFL: {
      const std::uint32_t wanted = to_u32(args.a2) & kSettableFlags;
      file->set_flags((file->flags() & ~kSettableFlags) | wanted);
      TRY(set_async(*file, fd, (to_u32(args.a2) & O_ASYNC) != 0));
      return 0;
    }
    case F_GETLK:
    case F_SETLK:
    case F_SETLKW:
    case F_OFD_GETLK:
    case F_OFD_SETLK:
    case F_OFD_SETLKW:
      return record_lock(file, command, args.a2);
    case F_GET_SEALS:
    case F_ADD_SEALS:
      return sealing(*file, command, to_u32(args.a2));
    case F_GETPIPE_SZ:
    case F_SETPIPE_SZ: {
      Pipe* const pipe = file->as_pipe();
      if (pipe == nullptr) {
        return fail(EBADF);
      }
      return command == F_GETPIPE_SZ ? pipe->capacity() : TRY(pipe->resize(to_u32(args.a2)));
    }
    case F_GETLEASE:
    case F_SETLEASE:
      return lease(*file, command, to_fd(args.a2));
    default:
      return signal_owner(*file, command, args.a2);
  }
}

namespace {

/// FIONREAD of a regular file: what lies behind its position.
SyscallResult tell_unread(File& file, UserAddress out) {
  const abi::FileAttr attr = TRY(file.attributes());
  if (!S_ISREG(attr.mode)) {
    return file.ioctl(FIONREAD, out);
  }
  const std::uint64_t at = TRY(file.seek(0, SEEK_CUR));
  TRY(UserOut<int>(out).copy_out(static_cast<int>(attr.size - at)));
  return 0;
}

}  // namespace

SyscallResult sys_ioctl(const SyscallArgs& args) {
  const int fd = to_fd(args.a0);
  const std::uint32_t command = to_u32(args.a1);
  const Ref<File> file = TRY(current_files().get(fd));
  switch (command) {
    case FIOCLEX:
    case FIONCLEX:
      TRY(current_files().set_close_on_exec(fd, to_close_on_exec(command == FIOCLEX)));
      return 0;
    case FIONBIO:
      return set_nonblocking(*file, args.a2);
    case FIONREAD:
      return file->has_positions() ? tell_unread(*file, args.a2) : file->ioctl(command, args.a2);
    case FIOASYNC:
      return set_async_by_ioctl(*file, fd, args.a2);
    default:
      return file->ioctl(command, args.a2);
  }
}

namespace {

SyscallResult do_pipe(UserAddress out, std::uint32_t flags) {
  if ((flags & ~std::uint32_t{O_CLOEXEC | O_NONBLOCK | O_DIRECT}) != 0) {
    return fail(EINVAL);
  }
  PipeEnds ends = TRY(make_pipe(flags & std::uint32_t{O_NONBLOCK | O_DIRECT}));
  const CloseOnExec close_on_exec = to_close_on_exec((flags & O_CLOEXEC) != 0);
  FdTable& files = current_files();
  const int reader = TRY(files.install(std::move(ends.reader), close_on_exec, descriptor_limit()));
  const Result<int> writer =
      files.install(std::move(ends.writer), close_on_exec, descriptor_limit());
  Result<void> told = fail(EMFILE);
  if (writer) {
    const std::array<int, 2> pair{reader, *writer};
    told = copy_to_user(out, pair.data(), sizeof pair);
  }
  if (!told) {
    (void)files.close(reader);  // ours, just made
    if (writer) {
      (void)files.close(*writer);
    }
    return tl::unexpected(told.error());
  }
  return 0;
}

}  // namespace

SyscallResult sys_pipe(const SyscallArgs& args) {
  return do_pipe(args.a0, 0);
}

SyscallResult sys_pipe2(const SyscallArgs& args) {
  return do_pipe(args.a0, to_u32(args.a1));
}

}  // namespace runhl::kernel
