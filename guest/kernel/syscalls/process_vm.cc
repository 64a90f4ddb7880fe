// SPDX-License-Identifier: Apache-2.0
// process_vm_readv, process_vm_writev: of the caller's own process. Other processes live in other
// cells, whose memory this one cannot reach.
#include <sys/mman.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>

#include "runhl/abi/layout.h"
#include "syscalls/context.h"
#include "syscalls/handlers.h"

namespace runhl::kernel {
namespace {

constexpr std::uint64_t kMaxSegments = 1024;  // UIO_MAXIOV

enum class Direction : bool { Read, Write };

/// Walks a program's array of iovecs, a part of a segment at a time.
class Segments {
 public:
  Segments(UserAddress array, std::uint64_t count) : array_(array), count_(count) {}

  /// The address and length of what comes next; length 0: the end.
  Result<UserSpan> next(std::uint64_t most) {
    while (left_ == 0 && index_ < count_) {
      const iovec segment = TRY(UserIn<iovec>(array_).copy_in(index_++));
      address_ = reinterpret_cast<UserAddress>(segment.iov_base);
      left_ = segment.iov_len;
      if (left_ > ~0ULL >> 1) {
        return fail(EINVAL);
      }
    }
    return UserSpan{.address = address_, .size = std::min(left_, most)};
  }
  void advance(std::uint64_t bytes) {
    address_ += bytes;
    left_ -= bytes;
  }

 private:
  UserAddress array_;
  std::uint64_t count_;
  std::uint64_t index_ = 0;
  UserAddress address_ = 0;
  std::uint64_t left_ = 0;
};

/// The other process's pages count by what their mapping allows: x86 could read what may only be
/// written.
bool allows(UserAddress page, std::uint32_t access) {
  const Result<MappingInfo> mapping = current_mm().find(page);
  return mapping && (mapping->protection & access) != 0;
}

Result<std::uint64_t> copy(Segments from, Segments to, Direction direction) {
  constexpr std::uint64_t kBlock = 1024;
  std::array<std::byte, kBlock> block;
  std::uint64_t done = 0;
  for (;;) {
    const UserSpan target = TRY(to.next(kBlock));
    UserSpan source = TRY(from.next(target.size));
    // To the end of the other process's page: the next may be of another mapping.
    const UserAddress other = direction == Direction::Read ? source.address : target.address;
    source.size = std::min(source.size, kPageSize - other % kPageSize);
    if (source.size == 0 || target.size == 0) {
      return done;
    }
    const bool allowed = allows(other, direction == Direction::Read ? PROT_READ : PROT_WRITE);
    if (!allowed) {
      return done != 0 ? Result<std::uint64_t>(done) : fail(EFAULT);
    }
    const std::size_t got = copy_from_user_partial(block.data(), source.address, source.size);
    const std::size_t put = copy_to_user_partial(target.address, block.data(), got);
    from.advance(put);
    to.advance(put);
    done += put;
    if (put < source.size) {
      return done != 0 ? Result<std::uint64_t>(done) : fail(EFAULT);
    }
  }
}

SyscallResult process_vm(const SyscallArgs& args, Direction direction) {
  if (args.a5 != 0 || args.a2 > kMaxSegments || args.a4 > kMaxSegments) {
    return fail(EINVAL);
  }
  const int pid = to_fd(args.a0);
  const Task& task = current();
  if (pid != task.process->pid && pid != task.tid) {
    return fail(pid <= 0 ? ESRCH : EPERM);
  }
  const Segments local(args.a1, args.a2);
  const Segments remote(args.a3, args.a4);
  return direction == Direction::Read ? copy(remote, local, direction)
                                      : copy(local, remote, direction);
}

}  // namespace

SyscallResult sys_process_vm_readv(const SyscallArgs& args) {
  return process_vm(args, Direction::Read);
}

SyscallResult sys_process_vm_writev(const SyscallArgs& args) {
  return process_vm(args, Direction::Write);
}

}  // namespace runhl::kernel
