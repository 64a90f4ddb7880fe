// SPDX-License-Identifier: Apache-2.0
// Calls that move bytes between files.
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/stat.h>

#include <algorithm>

#include "fs/anonymous_attr.h"
#include "fs/device_file.h"
#include "fs/objects/pipe.h"
#include "fs/vfs.h"
#include "mm/heap.h"
#include "runhl/abi/layout.h"
#include "sched/long_work.h"
#include "syscalls/context.h"
#include "syscalls/handlers.h"

namespace runhl::kernel {
namespace {

constexpr std::size_t kMaxTransfer = 0x7fff'f000;  // Linux MAX_RW_COUNT
constexpr std::size_t kChunk = 64 * kKiB;
constexpr std::size_t kRangePart = 16 * kMiB;  // of one host call, which nothing ends

Result<std::uint64_t> copy_offset(UserAddress from) {
  const auto offset = TRY(UserIn<std::int64_t>(from).copy_in());
  if (offset < 0) {
    return fail(EINVAL);
  }
  return static_cast<std::uint64_t>(offset);
}

Result<Ref<File>> source_file(int fd) {
  Ref<File> file = TRY(current_files().get(fd));
  return file->readable() ? Result<Ref<File>>(std::move(file)) : fail(EBADF);
}

Result<Ref<File>> target_file(int fd) {
  Ref<File> file = TRY(current_files().get(fd));
  return file->writable() ? Result<Ref<File>>(std::move(file)) : fail(EBADF);
}

/// A file and the place in it: the program's variable, or the file's own position.
struct CopyPlace {
  File& file;
  bool own = false;
  std::uint64_t offset = 0;
  bool moves = true;  // devices are everywhere the same

  Result<std::size_t> read(IoBuffer& buffer) const {
    return own ? file.read_at(buffer, offset) : file.read(buffer);
  }
  Result<std::size_t> write(IoBuffer& buffer) const {
    return own ? file.write_at(buffer, offset) : file.write(buffer);
  }
};

/// Through kernel memory, until `wanted` bytes, the source's end or a short write.
SyscallResult copy_through(CopyPlace& from, CopyPlace& to, std::size_t wanted) {
  auto* const chunk = static_cast<std::byte*>(heap_allocate(kChunk));
  if (chunk == nullptr) {
    return fail(ENOMEM);
  }
  std::size_t done = 0;
  SyscallResult result = 0;
  while (done < wanted) {
    IoBuffer in{std::span<std::byte>(chunk, std::min(kChunk, wanted - done))};
    const Result<std::size_t> got = from.read(in);
    if (!got || *got == 0) {
      result = got;
      break;
    }
    IoBuffer out{std::span<std::byte>(chunk, *got)};
    const Result<std::size_t> put = to.write(out);
    if (!put) {
      result = put;
      break;
    }
    done += *put;
    from.offset += from.moves ? *put : 0;
    to.offset += *put;
    if (*put < *got || !take_breath()) {
      break;
    }
  }
  heap_free(chunk, kChunk);
  return done != 0 ? SyscallResult(done) : result;
}

Result<void> check_regular(File& file) {
  const abi::FileAttr attr = TRY(file.attributes());
  if (S_ISDIR(attr.mode)) {
    return fail(EISDIR);
  }
  // A stream of the container may be a regular file on the host, but is none of ours.
  return S_ISREG(attr.mode) && file.node() != nullptr ? Result<void>{} : fail(EINVAL);
}

/// Linux takes no bytes from pipes nor from what is no file at all, from sockets for pipes alone,
/// and does not add to what is open for appending.
Result<void> check_sendfile(File& in, File& out) {
  const bool to_pipe = out.as_pipe() != nullptr;
  const bool bad_source = in.as_pipe() != nullptr || is_anonymous_inode(in) ||
                          (in.as_socket() != nullptr && !to_pipe) || in.directory() != nullptr;
  const bool bad_target = !to_pipe && (out.flags() & O_APPEND) != 0;
  return bad_source || bad_target ? fail(EINVAL) : Result<void>{};
}

/// Of a target that takes no bytes: Linux notices once there is one.
SyscallResult refuse_bytes(const CopyPlace& from, std::size_t wanted) {
  std::byte first{};
  IoBuffer buffer{std::span<std::byte>(&first, std::min<std::size_t>(wanted, 1))};
  return TRY(from.read(buffer)) == 0 ? SyscallResult(0) : fail(EINVAL);
}

/// The position at which a copy begins.
Result<CopyPlace> place_of(File& file, UserAddress variable) {
  if (variable != 0) {
    return CopyPlace{
        .file = file, .own = true, .offset = TRY(copy_offset(variable)), .moves = !is_device(file)};
  }
  constexpr int kCurrent = 1;  // SEEK_CUR
  return CopyPlace{.file = file, .own = true, .offset = TRY(file.seek(0, kCurrent))};
}

Result<void> give_place(const CopyPlace& place, UserAddress variable) {
  if (variable != 0) {
    return UserOut<std::uint64_t>(variable).copy_out(place.offset);
  }
  constexpr int kSet = 0;  // SEEK_SET
  TRY(place.file.seek(static_cast<std::int64_t>(place.offset), kSet));
  return {};
}

/// The file system's own copy as far as it goes, then through memory.
SyscallResult copy_between(CopyPlace& from, CopyPlace& to, std::size_t wanted) {
  const Ref<Node> source = from.file.node();
  const Ref<Node> target = to.file.node();
  std::size_t done = 0;
  while (done < wanted) {
    const Result<std::size_t> copied = source->copy_range(
        from.offset, *target, to.offset, std::min<std::size_t>(wanted - done, kRangePart));
    if (!copied) {
      const int error = to_int(copied.error());
      const bool elsewhere = error == EOPNOTSUPP || error == EXDEV || error == ENOSYS;
      if (done != 0 || !elsewhere) {
        return done != 0 ? SyscallResult(done) : copied;
      }
      return copy_through(from, to, wanted);
    }
    if (*copied == 0) {
      break;
    }
    done += *copied;
    from.offset += *copied;
    to.offset += *copied;
    if (!take_breath()) {
      break;
    }
  }
  return done;
}

}  // namespace

SyscallResult sys_sendfile(const SyscallArgs& args) {
  const Ref<File> in = TRY(source_file(to_fd(args.a1)));
  if (args.a2 != 0 && !in->has_positions()) {
    return fail(ESPIPE);
  }
  const Ref<File> out = TRY(target_file(to_fd(args.a0)));
  if (Pipe* const pipe = out->as_pipe()) {  // before the source is looked at, also at its end
    if (args.a2 != 0) {
      TRY(copy_offset(args.a2));
    }
    TRY(pipe->wait_writable(out->nonblocking() ? Blocking::No : Blocking::Yes));
  }
  TRY(check_sendfile(*in, *out));
  // What the target does not take is not taken from the source either: its position follows the
  // bytes that were written.
  const bool placed = args.a2 != 0 || in->has_positions();
  CopyPlace from = placed ? TRY(place_of(*in, args.a2)) : CopyPlace{.file = *in};
  if (args.a3 != 0 && !gives_splice(*in)) {
    return fail(EINVAL);
  }
  if (is_anonymous_inode(*out) || !takes_splice(*out)) {
    return placed ? refuse_bytes(from, args.a3) : fail(EINVAL);
  }
  CopyPlace to{.file = *out};
  const SyscallResult done = copy_through(from, to, std::min<std::size_t>(args.a3, kMaxTransfer));
  if (done && placed) {
    TRY(give_place(from, args.a2));
  }
  return done;
}

SyscallResult sys_copy_file_range(const SyscallArgs& args) {
  const Ref<File> in = TRY(current_files().get(to_fd(args.a0)));
  const Ref<File> out = TRY(current_files().get(to_fd(args.a2)));
  if (args.a5 != 0) {
    return fail(EINVAL);
  }
  TRY(check_regular(*in));
  TRY(check_regular(*out));
  if (!in->readable() || !out->writable() || (out->flags() & O_APPEND) != 0) {
    return fail(EBADF);
  }
  CopyPlace from = TRY(place_of(*in, args.a1));
  CopyPlace to = TRY(place_of(*out, args.a3));
  std::size_t wanted = std::min<std::size_t>(args.a4, kMaxTransfer);
  const abi::FileAttr source = TRY(in->attributes());
  const abi::FileAttr target = TRY(out->attributes());
  // Memory files have a device each, yet one file system.
  if (source.device != target.device && in->mount() != out->mount()) {
    return fail(EXDEV);
  }
  std::uint64_t from_end = 0;
  std::uint64_t to_end = 0;
  if (__builtin_add_overflow(from.offset, args.a4, &from_end) ||
      __builtin_add_overflow(to.offset, args.a4, &to_end)) {
    return fail(EOVERFLOW);
  }
  if (from.offset >= source.size) {
    return 0;
  }
  wanted = std::min<std::uint64_t>(wanted, source.size - from.offset);
  const bool same = source.device == target.device && source.inode == target.inode;
  if (same && from.offset < to.offset + wanted && to.offset < from.offset + wanted) {
    return fail(EINVAL);
  }
  const SyscallResult done = copy_between(from, to, wanted);
  if (done && *done != 0) {
    TRY(give_place(from, args.a1));
    TRY(give_place(to, args.a3));
  }
  return done;
}

}  // namespace runhl::kernel
