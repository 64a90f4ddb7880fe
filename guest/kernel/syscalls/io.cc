// SPDX-License-Identifier: Apache-2.0
// read, write and their relatives.
#include <linux/limits.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "mm/heap.h"
#include "runhl/abi/layout.h"
#include "syscalls/context.h"
#include "syscalls/handlers.h"

namespace runhl::kernel {
namespace {

constexpr std::size_t kMaxTransfer = 0x7fff'f000;  // Linux MAX_RW_COUNT

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

Result<UserSpan> user_span(std::uint64_t address, std::uint64_t size) {
  if (address >= abi::kUserEnd || size > abi::kUserEnd - address) {
    return fail(EFAULT);
  }
  return UserSpan{.address = address, .size = std::min<std::size_t>(size, kMaxTransfer)};
}

Result<std::uint64_t> offset_of(std::uint64_t argument) {
  if (static_cast<std::int64_t>(argument) < 0) {
    return fail(EINVAL);
  }
  return argument;
}

/// The vector of readv and friends, copied and checked once.
class IoVector {
 public:
  static Result<Owned<IoVector>> copy(UserAddress vector, std::uint64_t count) {
    if (count > IOV_MAX) {
      return fail(EINVAL);
    }
    Owned<IoVector> result = TRY(make<IoVector>());
    std::size_t total = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const iovec entry = TRY(UserIn<iovec>(vector).copy_in(i));
      if (static_cast<std::int64_t>(entry.iov_len) < 0) {
        return fail(EINVAL);
      }
      // SAFETY: only the number is used.
      UserSpan span = TRY(user_span(reinterpret_cast<UserAddress>(entry.iov_base), entry.iov_len));
      span.size = std::min(span.size, kMaxTransfer - total);
      total += span.size;
      if (span.size != 0) {
        result->spans_[result->count_++] = span;
      }
    }
    return result;
  }
  [[nodiscard]] std::span<const UserSpan> spans() const { return {spans_.data(), count_}; }

 private:
  std::array<UserSpan, IOV_MAX> spans_;
  std::size_t count_ = 0;
};

SyscallResult read_vector_at(const SyscallArgs& args) {
  const std::uint64_t offset = TRY(offset_of(args.a3));
  TRY(require_positions(to_fd(args.a0)));
  const Ref<File> file = TRY(readable_file(to_fd(args.a0)));
  const Owned<IoVector> vector = TRY(IoVector::copy(args.a1, args.a2));
  IoBuffer buffer(vector->spans());
  return file->read_at(buffer, offset);
}

SyscallResult write_vector_at(const SyscallArgs& args) {
  const std::uint64_t offset = TRY(offset_of(args.a3));
  TRY(require_positions(to_fd(args.a0)));
  const Ref<File> file = TRY(writable_file(to_fd(args.a0)));
  const Owned<IoVector> vector = TRY(IoVector::copy(args.a1, args.a2));
  IoBuffer buffer(vector->spans());
  return file->write_at(buffer, offset);
}

}  // namespace

SyscallResult sys_read(const SyscallArgs& args) {
  const Ref<File> file = TRY(readable_file(to_fd(args.a0)));
  IoBuffer buffer(TRY(user_span(args.a1, args.a2)));
  return file->read(buffer);
}

SyscallResult sys_write(const SyscallArgs& args) {
  const Ref<File> file = TRY(writable_file(to_fd(args.a0)));
  IoBuffer buffer(TRY(user_span(args.a1, args.a2)));
  return file->write(buffer);
}

SyscallResult sys_pread64(const SyscallArgs& args) {
  const std::uint64_t offset = TRY(offset_of(args.a3));
  TRY(require_positions(to_fd(args.a0)));
  const Ref<File> file = TRY(readable_file(to_fd(args.a0)));
  IoBuffer buffer(TRY(user_span(args.a1, args.a2)));
  return file->read_at(buffer, offset);
}

SyscallResult sys_pwrite64(const SyscallArgs& args) {
  const std::uint64_t offset = TRY(offset_of(args.a3));
  TRY(require_positions(to_fd(args.a0)));
  const Ref<File> file = TRY(writable_file(to_fd(args.a0)));
  IoBuffer buffer(TRY(user_span(args.a1, args.a2)));
  return file->write_at(buffer, offset);
}

SyscallResult sys_readv(const SyscallArgs& args) {
  const Ref<File> file = TRY(readable_file(to_fd(args.a0)));
  const Owned<IoVector> vector = TRY(IoVector::copy(args.a1, args.a2));
  IoBuffer buffer(vector->spans());
  return file->read(buffer);
}

SyscallResult sys_writev(const SyscallArgs& args) {
  const Ref<File> file = TRY(writable_file(to_fd(args.a0)));
  const Owned<IoVector> vector = TRY(IoVector::copy(args.a1, args.a2));
  IoBuffer buffer(vector->spans());
  return file->write(buffer);
}

SyscallResult sys_preadv(const SyscallArgs& args) {
  return read_vector_at(args);
}

SyscallResult sys_pwritev(const SyscallArgs& args) {
  return write_vector_at(args);
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
