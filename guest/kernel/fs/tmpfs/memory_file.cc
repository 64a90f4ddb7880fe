// SPDX-License-Identifier: Apache-2.0
#include "fs/tmpfs/memory_file.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/stat.h>

#include "core/first_use.h"
#include "fs/mount.h"
#include "fs/node_file.h"
#include "fs/tmpfs/tmpfs.h"
#include "runhl/abi/layout.h"

#ifndef F_SEAL_EXEC
#define F_SEAL_EXEC 0x0020  // include/uapi/linux/fcntl.h
#endif

namespace runhl::kernel {
namespace {

constexpr std::uint64_t kSizeLimit = std::uint64_t{1} << 46;  // memory ends long before
constexpr std::string_view kName = "memfd";

constinit SpinLock g_memory_mount_lock{LockRank::Pipe};
constinit FirstUse<Mount> g_memory_mount;  // guarded by g_memory_mount_lock until it is made

/// Such files hang below no mount of the tree; this one only tells that nothing is forbidden.
Mount& memory_mount() {
  const SpinLock::Guard guard(g_memory_mount_lock);
  return *g_memory_mount;
}

}  // namespace

Result<Ref<MemoryFileNode>> MemoryFileNode::create(std::uint32_t mode, std::uint32_t seals) {
  const Ref<TmpfsNode> root = TRY(TmpfsNode::create_root(kSizeLimit, 0777));
  const PathSpec at{.path = kName, .follow = false};
  OpenedNode opened = TRY(root->open(at, {.flags = O_CREAT | O_RDWR, .mode = mode}));
  TRY(root->remove(at, false));
  return make_ref<MemoryFileNode>(std::move(opened.node), seals);
}

Result<abi::FileAttr> MemoryFileNode::attributes() {
  return file_->attributes();
}

Result<std::size_t> MemoryFileNode::read_at(IoBuffer& buffer, std::uint64_t offset) {
  return file_->read_at(buffer, offset);
}

Result<void> MemoryFileNode::check_growth(std::uint64_t end) {
  if (sealed(F_SEAL_GROW) && end > TRY(file_->attributes()).size) {
    return fail(EPERM);
  }
  return {};
}

/// How much of a write Linux, which goes by pages, does before it meets one that would grow a file.
std::size_t MemoryFileNode::whole_pages_below(std::uint64_t end, std::uint64_t at,
                                              std::size_t wanted) {
  if (at >= end || wanted <= end - at) {
    return at >= end ? 0 : wanted;
  }
  const std::uint64_t last_page = align_down(end, kPageSize);
  return last_page > at ? last_page - at : 0;
}

Result<std::size_t> MemoryFileNode::write_at(IoBuffer& buffer, std::uint64_t offset,
                                             std::uint64_t& end) {
  if (buffer.full()) {
    return 0;  // nothing, which no seal forbids
  }
  if (sealed(F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)) {
    return fail(EPERM);
  }
  if (sealed(F_SEAL_GROW)) {
    const std::uint64_t size = TRY(file_->attributes()).size;
    const std::size_t fits =
        whole_pages_below(size, offset == kAppendOffset ? size : offset, buffer.remaining());
    if (fits == 0) {
      return fail(EPERM);
    }
    buffer.shorten(fits);
  }
  return file_->write_at(buffer, offset, end);
}

Result<void> MemoryFileNode::truncate(std::uint64_t size) {
  TRY(check_growth(size));
  if (sealed(F_SEAL_SHRINK) && size < TRY(file_->attributes()).size) {
    return fail(EPERM);
  }
  return file_->truncate(size);
}

Result<void> MemoryFileNode::allocate(std::uint32_t mode, std::uint64_t offset,
                                      std::uint64_t length) {
  if ((mode & ~std::uint32_t{FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE}) != 0) {
    return fail(EOPNOTSUPP);  // before any seal
  }
  if ((mode & FALLOC_FL_PUNCH_HOLE) != 0 && sealed(F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)) {
    return fail(EPERM);
  }
  if ((mode & FALLOC_FL_PUNCH_HOLE) == 0) {
    TRY(check_growth(offset + length));  // also where the size is to stay, as on Linux
  }
  return file_->allocate(mode, offset, length);
}

Result<std::uint64_t> MemoryFileNode::seek(std::uint64_t offset, int whence) {
  return file_->seek(offset, whence);
}

Result<aspace::Backing> MemoryFileNode::backing(std::uint64_t offset, std::uint64_t length,
                                                MapUse use) {
  return file_->backing(offset, length, use);
}

/// Of itself: through /proc/PID/fd.
Result<OpenedNode> MemoryFileNode::open(const PathSpec& at, const OpenRequest& request) {
  if ((request.flags & O_TRUNC) != 0 && sealed(F_SEAL_SHRINK)) {
    return fail(EPERM);
  }
  OpenedNode opened = TRY(file_->open(at, request));
  opened.node = this;
  return opened;
}

Result<std::size_t> MemoryFileNode::read_link(const PathSpec& at, std::span<char> target) {
  return file_->read_link(at, target);
}

Result<void> MemoryFileNode::set_mode(const PathSpec& at, std::uint32_t mode) {
  constexpr std::uint32_t kExecute = 0111;
  const std::uint32_t old = TRY(file_->attributes()).mode;
  if (sealed(F_SEAL_EXEC) && ((old ^ mode) & kExecute) != 0) {
    return fail(EPERM);
  }
  return file_->set_mode(at, mode);
}

Result<void> MemoryFileNode::set_owner(const PathSpec& at, OwnerChange owner) {
  return file_->set_owner(at, owner);
}

Result<void> MemoryFileNode::set_times(const PathSpec& at,
                                       const std::array<abi::Timestamp, 2>& times) {
  return file_->set_times(at, times);
}

Result<Ref<File>> open_memory_file(std::string_view name, std::uint32_t mode, std::uint32_t seals) {
  Ref<MemoryFileNode> node = TRY(MemoryFileNode::create(mode, seals));
  // It may run as a program while this is all that writes to it.
  WriteHold hold =
      TRY(WriteHold::create(inode_key(TRY(node->attributes())), WriteHold::Kind::Unseen));
  constexpr std::uint32_t kLargeFile = 0100000;  // O_LARGEFILE as the kernel has it
  Ref<NodeFile> file = TRY(make_ref<NodeFile>(std::move(node), S_IFREG | mode,
                                              std::uint32_t{O_RDWR} | kLargeFile, memory_mount()));
  file->set_nameless_path(TRY(Text::join("/memfd:", name)));
  file->keep_hold(std::move(hold));
  return Ref<File>(std::move(file));
}

Result<void> add_seals(std::atomic<std::uint32_t>& seals, std::uint32_t more) {
  constexpr std::uint32_t kWrites =
      F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE;
  if ((more & ~(kWrites | F_SEAL_SEAL | F_SEAL_EXEC)) != 0) {
    return fail(EINVAL);
  }
  if ((seals.load() & F_SEAL_SEAL) != 0) {
    return fail(EPERM);
  }
  if ((more & F_SEAL_EXEC) != 0) {
    more |= kWrites;  // Linux: what cannot be made executable later may not change either
  }
  seals.fetch_or(more);
  return {};
}

}  // namespace runhl::kernel
