// SPDX-License-Identifier: Apache-2.0
// Calls about ranges of a file's bytes: room for them, advice about them, writing them back.
#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/stat.h>

#include "fs/node_file.h"
#include "fs/vfs.h"
#include "syscalls/context.h"
#include "syscalls/handlers.h"

namespace runhl::kernel {
namespace {

struct Range {
  std::uint64_t offset = 0, length = 0;
};

Result<Range> range_of(std::uint64_t offset, std::uint64_t length) {
  if (static_cast<std::int64_t>(offset) < 0 || static_cast<std::int64_t>(length) < 0) {
    return fail(EINVAL);
  }
  return Range{.offset = offset, .length = length};
}

bool overflows(const Range& range) {
  return range.length > static_cast<std::uint64_t>(INT64_MAX) - range.offset;
}

/// Which combinations of FALLOC_FL_* mean anything (Linux vfs_fallocate).
Result<void> check_mode(std::uint32_t mode) {
  constexpr std::uint32_t kPunch = FALLOC_FL_PUNCH_HOLE;
  constexpr std::uint32_t kMoves = FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_INSERT_RANGE;
  constexpr std::uint32_t kKnown =
      FALLOC_FL_KEEP_SIZE | kPunch | kMoves | FALLOC_FL_ZERO_RANGE | FALLOC_FL_UNSHARE_RANGE;
  if ((mode & ~kKnown) != 0 ||
      (mode & (kPunch | FALLOC_FL_ZERO_RANGE)) == (kPunch | FALLOC_FL_ZERO_RANGE)) {
    return fail(EOPNOTSUPP);
  }
  if ((mode & kPunch) != 0 && (mode & FALLOC_FL_KEEP_SIZE) == 0) {
    return fail(EOPNOTSUPP);
  }
  const bool alone = mode == FALLOC_FL_COLLAPSE_RANGE || mode == FALLOC_FL_INSERT_RANGE;
  if ((mode & kMoves) != 0 && !alone) {
    return fail(EINVAL);
  }
  return {};
}

}  // namespace

SyscallResult sys_fallocate(const SyscallArgs& args) {
  const Ref<File> file = TRY(current_files().get(to_fd(args.a0)));
  const std::uint32_t mode = to_u32(args.a1);
  const Range range = TRY(range_of(args.a2, args.a3));
  if (range.length == 0) {
    return fail(EINVAL);
  }
  TRY(check_mode(mode));
  if (!file->writable()) {
    return fail(EBADF);
  }
  const Ref<Node> node = file->node();
  if (node == nullptr) {
    const abi::FileAttr attr = TRY(file->attributes());
    return S_ISFIFO(attr.mode) ? fail(ESPIPE) : fail(ENODEV);
  }
  if (overflows(range)) {
    return fail(EFBIG);
  }
  if ((mode & FALLOC_FL_KEEP_SIZE) == 0) {
    TRY(check_file_size(range.offset + range.length));
  }
  TRY(node->allocate(mode, range.offset, range.length));
  return 0;
}

SyscallResult sys_fadvise64(const SyscallArgs& args) {
  const Ref<File> file = TRY(current_files().get(to_fd(args.a0)));
  if (S_ISFIFO(TRY(file->attributes()).mode)) {
    return fail(ESPIPE);
  }
  // Advice and nothing more: pages are the host's, which reads ahead by itself.
  if (static_cast<std::int64_t>(args.a2) < 0 || to_fd(args.a3) < POSIX_FADV_NORMAL ||
      to_fd(args.a3) > POSIX_FADV_NOREUSE) {
    return fail(EINVAL);
  }
  return 0;
}

SyscallResult sys_readahead(const SyscallArgs& args) {
  const Ref<File> file = TRY(current_files().get(to_fd(args.a0)));
  if (!file->readable()) {
    return fail(EBADF);
  }
  if (!S_ISREG(TRY(file->attributes()).mode)) {
    return fail(EINVAL);
  }
  return 0;  // as fadvise64
}

SyscallResult sys_sync_file_range(const SyscallArgs& args) {
  constexpr std::uint32_t kFlags =
      SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;
  const Ref<File> file = TRY(current_files().get(to_fd(args.a0)));
  const Range range = TRY(range_of(args.a1, args.a2));
  if ((to_u32(args.a3) & ~kFlags) != 0 || overflows(range)) {
    return fail(EINVAL);
  }
  const Ref<Node> node = file->node();
  if (node == nullptr) {
    return fail(ESPIPE);
  }
  TRY(node->sync_range(range.offset, range.length, to_u32(args.a3)));
  return 0;
}

SyscallResult sys_syncfs(const SyscallArgs& args) {
  const Ref<File> file = TRY(current_files().get(to_fd(args.a0)));
  if (const Ref<Node> node = file->node()) {
    TRY(node->sync_filesystem());
  }
  return 0;
}

SyscallResult sys_name_to_handle_at(const SyscallArgs& /*args*/) {
  return fail(EOPNOTSUPP);  // a handle would outlive what the monitor keeps open
}

SyscallResult sys_open_by_handle_at(const SyscallArgs& /*args*/) {
  return fail(EPERM);  // as without CAP_DAC_READ_SEARCH in the host's user namespace
}

}  // namespace runhl::kernel
