// SPDX-License-Identifier: Apache-2.0
// splice, tee, vmsplice.
#include "fs/splice.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>

#include "fs/anonymous_attr.h"
#include "fs/device_file.h"
#include "syscalls/context.h"
#include "syscalls/handlers.h"
#include "syscalls/io_vector.h"

namespace runhl::kernel {
namespace {

constexpr std::uint32_t kFlags = SPLICE_F_MOVE | SPLICE_F_NONBLOCK | SPLICE_F_MORE | SPLICE_F_GIFT;

/// A pipe has no offset, whoever names it.
Result<void> check_places(File& in, UserAddress in_at, File& out, UserAddress out_at) {
  const bool wrong =
      (in.as_pipe() != nullptr && in_at != 0) || (out.as_pipe() != nullptr && out_at != 0);
  return wrong ? fail(ESPIPE) : Result<void>();
}

Result<Ref<File>> open_for(int fd, bool (File::*may)() const) {
  Ref<File> file = TRY(current_files().get(fd));
  if (!((*file).*may)()) {
    return fail(EBADF);
  }
  return file;
}

/// The file's side with the position at `offset_at`, if the program keeps one.
Result<SpliceFile> side_of(File& file, UserAddress offset_at) {
  SpliceFile side{.file = file};
  if (offset_at != 0) {
    side.own_position = false;
    side.moves = !is_device(file);
    side.offset = TRY(UserIn<std::uint64_t>(offset_at).copy_in());
    if (static_cast<std::int64_t>(side.offset) < 0) {
      return fail(EINVAL);
    }
  }
  return side;
}

Result<void> tell_offset(const SpliceFile& side, UserAddress offset_at) {
  return side.own_position ? Result<void>()
                           : UserOut<std::uint64_t>(offset_at).copy_out(side.offset);
}

bool takes_offset(File& file) {
  const Result<abi::FileAttr> attr = file.attributes();
  return attr && (S_ISREG(attr->mode) || (S_ISCHR(attr->mode) && file.has_positions()));
}

Blocking blocking_of(bool nonblocking) {
  return nonblocking ? Blocking::No : Blocking::Yes;
}

SyscallResult between_pipes(File& in, File& out, std::size_t size, bool nonblocking,
                            Pipe::Leave leave) {
  if (in.as_pipe() == out.as_pipe()) {
    return fail(EINVAL);
  }
  nonblocking =
      nonblocking || (leave == Pipe::Leave::No && (in.nonblocking() || out.nonblocking()));
  return splice_pipes(*in.as_pipe(), *out.as_pipe(), size, blocking_of(nonblocking), leave);
}

SyscallResult pipe_to_file(const SyscallArgs& args, File& in, File& out, std::size_t size,
                           bool nonblocking) {
  if ((out.flags() & O_APPEND) != 0 || is_anonymous_inode(out) || !takes_splice(out) ||
      (args.a3 != 0 && !takes_offset(out))) {
    return fail(EINVAL);
  }
  SpliceFile to = TRY(side_of(out, args.a3));
  const std::size_t done = TRY(splice_from_pipe(*in.as_pipe(), to, size, blocking_of(nonblocking)));
  TRY(tell_offset(to, args.a3));
  return done;
}

SyscallResult file_to_pipe(const SyscallArgs& args, File& in, File& out, std::size_t size,
                           bool nonblocking) {
  if ((args.a1 != 0 && !takes_offset(in)) || is_anonymous_inode(in) || !gives_splice(in) ||
      in.directory() != nullptr) {
    return fail(EINVAL);
  }
  SpliceFile from = TRY(side_of(in, args.a1));
  const Blocking blocking = blocking_of(nonblocking || out.nonblocking());
  const std::size_t done = TRY(splice_to_pipe(from, *out.as_pipe(), size, blocking));
  TRY(tell_offset(from, args.a1));
  return done;
}

}  // namespace

SyscallResult sys_splice(const SyscallArgs& args) {
  const std::size_t size = std::min<std::size_t>(args.a4, kMaxTransfer);
  const std::uint32_t flags = to_u32(args.a5);
  if (args.a4 == 0) {
    return 0;
  }
  if ((flags & ~kFlags) != 0) {
    return fail(EINVAL);
  }
  const Ref<File> in = TRY(current_files().get(to_fd(args.a0)));
  const Ref<File> out = TRY(current_files().get(to_fd(args.a2)));
  TRY(check_places(*in, args.a1, *out, args.a3));
  if (!in->readable() || !out->writable()) {
    return fail(EBADF);
  }
  const bool nonblocking = (flags & SPLICE_F_NONBLOCK) != 0;
  if (in->as_pipe() != nullptr && out->as_pipe() != nullptr) {
    return between_pipes(*in, *out, size, nonblocking, Pipe::Leave::No);
  }
  if (in->as_pipe() != nullptr) {
    return pipe_to_file(args, *in, *out, size, nonblocking);
  }
  if (out->as_pipe() != nullptr) {
    return file_to_pipe(args, *in, *out, size, nonblocking);
  }
  return fail(EINVAL);
}

SyscallResult sys_tee(const SyscallArgs& args) {
  if ((to_u32(args.a3) & ~kFlags) != 0) {
    return fail(EINVAL);
  }
  if (args.a2 == 0) {
    return 0;
  }
  const Ref<File> in = TRY(open_for(to_fd(args.a0), &File::readable));
  const Ref<File> out = TRY(open_for(to_fd(args.a1), &File::writable));
  if (in->as_pipe() == nullptr || out->as_pipe() == nullptr) {
    return fail(EINVAL);
  }
  const bool nonblocking = (to_u32(args.a3) & SPLICE_F_NONBLOCK) != 0;
  return between_pipes(*in, *out, std::min<std::size_t>(args.a2, kMaxTransfer), nonblocking,
                       Pipe::Leave::Yes);
}

SyscallResult sys_vmsplice(const SyscallArgs& args) {
  const std::uint32_t flags = to_u32(args.a3);
  if ((flags & ~kFlags) != 0) {
    return fail(EINVAL);
  }
  const Ref<File> file = TRY(current_files().get(to_fd(args.a0)));
  Pipe* const pipe = file->as_pipe();
  if (pipe == nullptr) {
    return fail(EBADF);
  }
  const Owned<IoVector> vector = TRY(IoVector::copy(args.a1, args.a2));
  IoBuffer memory(vector->spans());
  if (memory.full()) {
    return 0;
  }
  const Blocking blocking = blocking_of((flags & SPLICE_F_NONBLOCK) != 0);
  if (!file->writable()) {
    return pipe->read(memory, blocking);
  }
  return splice_from_memory(memory, vector->spans().front().address, *pipe, blocking);
}

}  // namespace runhl::kernel
