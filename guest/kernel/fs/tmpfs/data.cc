// SPDX-License-Identifier: Apache-2.0
// The bytes of files in memory, and what mappings show of them.
#include <linux/capability.h>
#include <linux/falloc.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fs/tmpfs/rules.h"
#include "fs/tmpfs/tmpfs.h"
#include "mm/file_cuts.h"
#include "proc/task.h"
#include "runhl/abi/layout.h"
#include "sched/long_work.h"

namespace runhl::kernel {
namespace {

// Linux's MAX_LFS_FILESIZE, which is what tmpfs allows.
constexpr std::uint64_t kMaxFileSize = 0x7fff'ffff'ffff'ffff;
/// Others have their turn at the file system behind so many bytes, a whole number of pages.
constexpr std::uint64_t kPart = 1 * kMiB;

/// Moves part after part, up to the file's end, the buffer's or a fault.
template <typename MovePart>
Result<std::size_t> move_in_parts(IoBuffer& buffer, MovePart move) {
  std::size_t done = 0;
  for (;;) {
    const Result<std::size_t> part = move(done);
    if (!part) {
      return done != 0 ? Result<std::size_t>(done) : part;
    }
    done += *part;
    if (*part < kPart || buffer.full() || !take_breath(Interruptible::Killable)) {
      return done;
    }
  }
}

}  // namespace

void TmpfsNode::resize(std::uint64_t size) {
  const bool cut = size < pages_.size() && pages_.is_mapped();
  pages_.resize(size);
  if (cut) {
    mapped_file_was_cut();
  }
  attr_.size = size;
  touch(true);
}

Result<void> TmpfsNode::truncate(std::uint64_t size) {
  const Mutex::Guard guard(instance_->lock);
  if (!S_ISREG(attr_.mode)) {
    return fail(EINVAL);
  }
  if (size > kMaxFileSize) {
    return fail(EFBIG);
  }
  cut(size);
  return {};
}

/// For a program, to any size: what ran with privileges does so no longer.
void TmpfsNode::cut(std::uint64_t size) {
  if (!current().credentials.has(CAP_FSETID)) {
    drop_privileges();
  }
  resize(size);
}

Result<std::size_t> TmpfsNode::read_at(IoBuffer& buffer, std::uint64_t offset) {
  return move_in_parts(buffer, [&](std::size_t done) -> Result<std::size_t> {
    const Mutex::Guard guard(instance_->lock);
    if (S_ISDIR(attr_.mode)) {
      return fail(EISDIR);
    }
    if (offset >= pages_.size() || done >= pages_.size() - offset) {
      return 0;
    }
    attr_.accessed = file_time_now();
    return pages_.read(buffer, offset + done, kPart);
  });
}

Result<std::size_t> TmpfsNode::write_at(IoBuffer& buffer, std::uint64_t offset,
                                        std::uint64_t& end) {
  if (buffer.full()) {
    return 0;  // as if it had not been
  }
  return move_in_parts(buffer,
                       [&](std::size_t done) { return write_part(buffer, offset, done, end); });
}

/// Behind the `done` bytes of the same write.
Result<std::size_t> TmpfsNode::write_part(IoBuffer& buffer, std::uint64_t offset, std::size_t done,
                                          std::uint64_t& end) {
  const Mutex::Guard guard(instance_->lock);
  const std::uint64_t start = offset == kAppendOffset ? pages_.size() : offset + done;
  if (start >= kMaxFileSize || buffer.remaining() > kMaxFileSize - start) {
    return fail(EFBIG);
  }
  if (!current().credentials.has(CAP_FSETID)) {
    drop_privileges();
  }
  const Result<std::size_t> part = pages_.write(buffer, start, kPart);
  attr_.size = pages_.size();
  end = start + (part ? *part : 0);
  if (part && *part != 0) {
    touch(true);
  }
  return part;
}

Result<void> TmpfsNode::set_aside(std::uint64_t offset, std::uint64_t end) {
  while (offset < end) {
    const std::uint64_t reach = std::min(align_down(offset, kPageSize) + kPart, end);
    {
      const Mutex::Guard guard(instance_->lock);
      TRY(pages_.allocate(offset, reach - offset));
    }
    offset = reach;
    TRY(take_breath(Interruptible::Killable));
  }
  return {};
}

Result<void> TmpfsNode::allocate(std::uint32_t mode, std::uint64_t offset, std::uint64_t length) {
  if (!S_ISREG(attr_.mode)) {
    return S_ISDIR(attr_.mode) ? fail(EISDIR) : fail(ENODEV);
  }
  if ((mode & ~std::uint32_t{FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE}) != 0) {
    return fail(EOPNOTSUPP);  // as Linux's tmpfs
  }
  const std::uint64_t end = offset + length;
  if (end > kMaxFileSize) {
    return fail(EFBIG);
  }
  const bool punches = (mode & FALLOC_FL_PUNCH_HOLE) != 0;
  if (!punches) {
    TRY(set_aside(offset, end));
  }
  const Mutex::Guard guard(instance_->lock);
  if (punches) {
    TRY(pages_.punch(offset, length));
  }
  const bool grows = (mode & FALLOC_FL_KEEP_SIZE) == 0 && end > attr_.size;
  if (grows) {
    pages_.resize(end);
    attr_.size = end;
  }
  touch(grows || punches);
  return {};
}

Result<std::uint64_t> TmpfsNode::seek(std::uint64_t offset, int whence) {
  const Mutex::Guard guard(instance_->lock);
  if (offset >= attr_.size) {
    return fail(ENXIO);
  }
  if (whence == SEEK_HOLE) {
    return pages_.next_hole(offset);
  }
  const std::uint64_t data = pages_.next_data(offset);
  return data < attr_.size ? Result<std::uint64_t>(data) : fail(ENXIO);
}

std::uint64_t TmpfsNode::mapped_end() {
  const Mutex::Guard guard(instance_->lock);
  return align_up(pages_.size(), kPageSize);
}

Result<aspace::Backing> TmpfsNode::backing(std::uint64_t offset, std::uint64_t length, MapUse use) {
  const Mutex::Guard guard(instance_->lock);
  return backing_locked(offset, length, use);
}

Result<aspace::Backing> TmpfsNode::backing_at_once(std::uint64_t offset, std::uint64_t length,
                                                   MapUse use) {
  const Mutex::TryGuard guard(instance_->lock);
  return guard.held() ? backing_locked(offset, length, use) : fail(EAGAIN);
}

Result<aspace::Backing> TmpfsNode::backing_locked(std::uint64_t offset, std::uint64_t length,
                                                  MapUse use) {
  if (!S_ISREG(attr_.mode)) {
    return fail(ENODEV);
  }
  using Kind = FilePages::MapPart::Kind;
  const FilePages::MapPart part = TRY(pages_.map_part(offset, length, use));
  // SAFETY: heap memory lies in the kernel memfd, lower files in the initrd's window, so an address
  // names the place in the file.
  const auto address = reinterpret_cast<std::uint64_t>(part.at);
  aspace::Backing backing{.length = part.length};
  switch (part.kind) {
    case Kind::Own:
      changed_ = changed_ || use == MapUse::SharedWrite;
      backing.kind = aspace::Backing::Kind::KernelMemory;
      backing.offset = abi::memfd_offset(address);
      break;
    case Kind::Lower:
      backing.kind = aspace::Backing::Kind::Initrd;
      backing.offset = address - abi::kInitrd;
      break;
    case Kind::Zero:
      backing.kind = aspace::Backing::Kind::Zero;
      break;
    case Kind::BeyondEnd:
      backing.kind = aspace::Backing::Kind::BeyondEnd;
      break;
  }
  return backing;
}

void TmpfsNode::mapping_began() {
  const Mutex::Guard guard(instance_->lock);
  pages_.mapping_began();
}

void TmpfsNode::mapping_ended() {
  const Mutex::Guard guard(instance_->lock);
  pages_.mapping_ended();
}

}  // namespace runhl::kernel
