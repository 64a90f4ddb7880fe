// SPDX-License-Identifier: Apache-2.0
// read, write and their relatives.
#include <fcntl.h>
#include <linux/fs.h>
#include <unistd.h>

#include <optional>

#include "fs/objects/inotify.h"
#include "mm/heap.h"
#include "runhl/abi/layout.h"
#include "syscalls/context.h"
#include "syscalls/handlers.h"
#include "syscalls/io_vector.h"

namespace runhl::kernel {
namespace {

Result<Ref<File>> readable_file(int fd) {
  Ref<File> file = TRY(current_files().get(fd));
  if (!file->readable()) {
    return fail(EBADF);
  }
  return file;
}

Result<Ref<File>> writable_file(int fd) {
  Ref<File> file = TRY(current_files().get(fd));
  if (!file->writable()) {
    return fail(EBADF);
  }
  return file;
}

Result<void> require_positions(int fd) {
  const Ref<File> file = TRY(current_files().get(fd));
  return file->has_positions() ? Result<void>{} : fail(ESPIPE);
}

/// inotify hears of what was moved.
SyscallResult told(File& file, std::uint32_t mask, SyscallResult result) {
  if (file_watches_exist() && result && *result != 0) {
    tell_file_event(file, mask);
  }
  return result;
}

Result<std::uint64_t> offset_of(std::uint64_t argument) {
  if (static_cast<std::int64_t>(argument) < 0) {
    return fail(EINVAL);
  }
  return argument;
}

/// Where a vector goes; preadv2's -1 is the file's own position.
Result<std::optional<std::uint64_t>> place_of(const SyscallArgs& args, bool may_be_own) {
  if (may_be_own && args.a3 == ~std::uint64_t{0}) {
    return std::nullopt;
  }
  const std::uint64_t offset = TRY(offset_of(args.a3));
  TRY(require_positions(to_fd(args.a0)));
  return offset;
}

/// RWF_*. Linux asks only when there is something to transfer.
Result<void> check_flags(std::uint32_t flags, File& file) {
  constexpr std::uint32_t kNoAppend = 0x20;  // RWF_NOAPPEND, younger than the C library
  constexpr std::uint32_t kKnown = RWF_HIPRI | RWF_DSYNC | RWF_SYNC | RWF_APPEND | kNoAppend;
  // RWF_NOWAIT: no file of ours tells in advance whether it would wait.
  if ((flags & ~kKnown) != 0 ||
      ((flags & kNoAppend) != 0 && (file.flags() & std::uint32_t{O_APPEND}) != 0)) {
    return fail(EOPNOTSUPP);
  }
  if ((flags & ~std::uint32_t{RWF_HIPRI}) != 0 && file.directory() != nullptr) {
    return fail(EOPNOTSUPP);  // said before EISDIR
  }
  return (flags & RWF_APPEND) != 0 && (flags & kNoAppend) != 0 ? fail(EINVAL) : Result<void>();
}

SyscallResult read_vector(const SyscallArgs& args, std::optional<std::uint64_t> offset,
                          std::uint32_t flags) {
  const Ref<File> file = TRY(readable_file(to_fd(args.a0)));
  const Owned<IoVector> vector = TRY(IoVector::copy(args.a1, args.a2));
  IoBuffer buffer(vector->spans());
  if (!buffer.full()) {
    TRY(check_flags(flags, *file));
  }
  return told(*file, IN_ACCESS, offset ? file->read_at(buffer, *offset) : file->read(buffer));
}

SyscallResult write_vector(const SyscallArgs& args, std::optional<std::uint64_t> offset,
                           std::uint32_t flags) {
  const Ref<File> file = TRY(writable_file(to_fd(args.a0)));
  const Owned<IoVector> vector = TRY(IoVector::copy(args.a1, args.a2));
  IoBuffer buffer(vector->spans());
  if (!buffer.full()) {
    TRY(check_flags(flags, *file));
  }
  const SyscallResult done = (flags & RWF_APPEND) != 0 ? file->append(buffer, !offset)
                             : offset                  ? file->write_at(buffer, *offset)
                                                       : file->write(buffer);
  const bool syncs = (flags & (RWF_DSYNC | RWF_SYNC)) != 0 && file->node() != nullptr;
  if (done && *done != 0 && syncs && file->has_positions()) {  // of a pipe nobody asks
    TRY(file->sync((flags & RWF_SYNC) == 0));
  }
  return told(*file, IN_MODIFY, done);
}

}  // namespace

SyscallResult sys_read(const SyscallArgs& args) {
  const Ref<File> file = TRY(readable_file(to_fd(args.a0)));
  IoBuffer buffer(TRY(user_span(args.a1, args.a2)));
  return told(*file, IN_ACCESS, file->read(buffer));
}

SyscallResult sys_write(const SyscallArgs& args) {
  const Ref<File> file = TRY(writable_file(to_fd(args.a0)));
  IoBuffer buffer(TRY(user_span(args.a1, args.a2)));
  return told(*file, IN_MODIFY, file->write(buffer));
}

SyscallResult sys_pread64(const SyscallArgs& args) {
  const std::uint64_t offset = TRY(offset_of(args.a3));
  TRY(require_positions(to_fd(args.a0)));
  const Ref<File> file = TRY(readable_file(to_fd(args.a0)));
  IoBuffer buffer(TRY(user_span(args.a1, args.a2)));
  return told(*file, IN_ACCESS, file->read_at(buffer, offset));
}

SyscallResult sys_pwrite64(const SyscallArgs& args) {
  const std::uint64_t offset = TRY(offset_of(args.a3));
  TRY(require_positions(to_fd(args.a0)));
  const Ref<File> file = TRY(writable_file(to_fd(args.a0)));
  IoBuffer buffer(TRY(user_span(args.a1, args.a2)));
  return told(*file, IN_MODIFY, file->write_at(buffer, offset));
}

SyscallResult sys_readv(const SyscallArgs& args) {
  return read_vector(args, std::nullopt, 0);
}

SyscallResult sys_writev(const SyscallArgs& args) {
  return write_vector(args, std::nullopt, 0);
}

SyscallResult sys_preadv(const SyscallArgs& args) {
  return read_vector(args, TRY(place_of(args, false)), 0);
}

SyscallResult sys_pwritev(const SyscallArgs& args) {
  return write_vector(args, TRY(place_of(args, false)), 0);
}

SyscallResult sys_preadv2(const SyscallArgs& args) {
  return read_vector(args, TRY(place_of(args, true)), to_u32(args.a5));
}

SyscallResult sys_pwritev2(const SyscallArgs& args) {
  return write_vector(args, TRY(place_of(args, true)), to_u32(args.a5));
}

SyscallResult sys_lseek(const SyscallArgs& args) {
  const Ref<File> file = TRY(current_files().get(to_fd(args.a0)));
  if (to_u32(args.a2) > SEEK_HOLE) {  // also of what cannot seek
    return fail(EINVAL);
  }
  return file->seek(static_cast<std::int64_t>(args.a1), to_fd(args.a2));
}

SyscallResult sys_ftruncate(const SyscallArgs& args) {
  const std::uint64_t size = TRY(offset_of(args.a1));
  const Ref<File> file = TRY(current_files().get(to_fd(args.a0)));
  if (!file->writable()) {
    return fail(EINVAL);
  }
  TRY(file->truncate(size));
  (void)told(*file, IN_MODIFY, 1);
  return 0;
}

SyscallResult sys_fsync(const SyscallArgs& args) {
  TRY(TRY(current_files().get(to_fd(args.a0)))->sync(false));
  return 0;
}

SyscallResult sys_fdatasync(const SyscallArgs& args) {
  TRY(TRY(current_files().get(to_fd(args.a0)))->sync(true));
  return 0;
}

SyscallResult sys_sync(const SyscallArgs& /*args*/) {
  return 0;  // writes are with the host already; its own write-back is not ours to order
}

}  // namespace runhl::kernel
