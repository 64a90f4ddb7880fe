// SPDX-License-Identifier: Apache-2.0
#include "fs/node_file.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <csignal>

#include "mm/heap.h"
#include "proc/signals.h"
#include "proc/task.h"

namespace runhl::kernel {
namespace {

// Positions of the entries that are not the file system's own (Linux: any opaque number).
constexpr std::uint64_t kDotCookie = 0x7fff'ffff'ffff'fff0;
constexpr std::uint64_t kDotDotCookie = 0x7fff'ffff'ffff'fff1;
constexpr std::uint64_t kMountCookies = 0x7fff'ffff'fffe'0000;

}  // namespace

// ---- regular files -----------------------------------------------------------------------------

Result<void> check_file_size(std::uint64_t end) {
  if (end <= current().process->rlimits[RLIMIT_FSIZE].soft) {
    return {};
  }
  SignalInfo info;
  info.number = SIGXFSZ;
  (void)signal_send_task(current(), info);  // lost only if the queue is full of it
  return fail(EFBIG);
}

/// Of a write at `offset` RLIMIT_FSIZE lets in what lies below it; nothing is EFBIG.
Result<void> NodeFile::keep_size_limit(IoBuffer& buffer, std::uint64_t offset) {
  constexpr std::uint64_t kUnlimited = ~std::uint64_t{0};
  const std::uint64_t limit = current().process->rlimits[RLIMIT_FSIZE].soft;
  if (limit == kUnlimited || buffer.full() || !S_ISREG(mode_)) [[likely]] {
    return {};
  }
  const std::uint64_t at = offset == kAppendOffset ? TRY(node_->attributes()).size : offset;
  if (at >= limit) {
    return check_file_size(kUnlimited);
  }
  buffer.shorten(limit - at);
  return {};
}

NodeFile::~NodeFile() {
  if (mapped_.load(std::memory_order_relaxed)) {
    node_->mapping_ended();
  }
}

/// Of a file that never had a name (memfd): what has one is opened by that or by its node.
Result<Ref<File>> NodeFile::reopen(std::uint32_t flags) {
  Ref<NodeFile> again = TRY(make_ref<NodeFile>(node_, mode_, flags, *mount()));
  if (again->writable()) {
    const InodeKey key = inode_key(TRY(node_->attributes()));
    again->keep_hold(TRY(WriteHold::create(key, WriteHold::Kind::Writer)));
  }
  again->set_nameless_path(TRY(Text::copy(nameless_path_.view())));
  return Ref<File>(std::move(again));
}

Result<std::size_t> NodeFile::read(IoBuffer& buffer) {
  const Mutex::Guard guard(position_lock_);
  const std::size_t done = TRY(node_->read_at(buffer, position_));
  position_ += done;
  return done;
}

Result<std::size_t> NodeFile::write_parts(IoBuffer& buffer, std::uint64_t offset,
                                          std::uint64_t& end) {
  if (!hold_.is_held()) {
    return write_in_turn(buffer, offset, end);
  }
  const Mutex::Guard guard(hold_.turn());
  return write_in_turn(buffer, offset, end);
}

/// Linux writes page by page: the source may be a mapping of pages that the file gets meanwhile,
/// which are there once the first part is written.
Result<std::size_t> NodeFile::write_in_turn(IoBuffer& buffer, std::uint64_t offset,
                                            std::uint64_t& end) {
  Result<std::size_t> first = node_->write_at(buffer, offset, end);
  if (!first && to_int(first.error()) == EFAULT && buffer.can_take_more()) {
    first = node_->write_at(buffer, offset, end);  // the file reaches up to here now
  }
  std::size_t done = TRY(first);
  while (done != 0 && buffer.can_take_more()) {
    const std::uint64_t at = offset == kAppendOffset ? kAppendOffset : end;
    const Result<std::size_t> more = node_->write_at(buffer, at, end);
    if (!more || *more == 0) {
      break;
    }
    done += *more;
  }
  return done;
}

Result<std::size_t> NodeFile::write(IoBuffer& buffer) {
  const Mutex::Guard guard(position_lock_);
  const bool append = (flags() & O_APPEND) != 0;
  std::uint64_t end = position_;
  TRY(keep_size_limit(buffer, append ? kAppendOffset : position_));
  const std::size_t done = TRY(write_parts(buffer, append ? kAppendOffset : position_, end));
  position_ = end;
  return done;
}

Result<std::size_t> NodeFile::append(IoBuffer& buffer, bool moves) {
  const Mutex::Guard guard(position_lock_);
  std::uint64_t end = position_;
  TRY(keep_size_limit(buffer, kAppendOffset));
  const std::size_t done = TRY(write_parts(buffer, kAppendOffset, end));
  position_ = moves ? end : position_;
  return done;
}

Result<std::size_t> NodeFile::read_at(IoBuffer& buffer, std::uint64_t offset) {
  return node_->read_at(buffer, offset);
}

Result<std::size_t> NodeFile::write_at(IoBuffer& buffer, std::uint64_t offset) {
  std::uint64_t end = 0;
  // Linux: O_APPEND wins over pwrite's offset.
  const std::uint64_t at = (flags() & O_APPEND) != 0 ? kAppendOffset : offset;
  TRY(keep_size_limit(buffer, at));
  return write_parts(buffer, at, end);
}

Result<std::uint64_t> NodeFile::seek(std::int64_t offset, int whence) {
  const Mutex::Guard guard(position_lock_);
  std::int64_t base = 0;
  switch (whence) {
    case SEEK_SET:
      break;
    case SEEK_CUR:
      base = static_cast<std::int64_t>(position_);
      break;
    case SEEK_DATA:
    case SEEK_HOLE:
      if (offset < 0) {
        return fail(ENXIO);
      }
      position_ = TRY(node_->seek(static_cast<std::uint64_t>(offset), whence));
      return position_;
    case SEEK_END:
      base = static_cast<std::int64_t>(TRY(node_->attributes()).size);
      break;
    default:
      return fail(EINVAL);
  }
  std::int64_t target = 0;
  if (__builtin_add_overflow(base, offset, &target)) {
    return fail(EOVERFLOW);
  }
  if (target < 0) {
    return fail(EINVAL);
  }
  position_ = static_cast<std::uint64_t>(target);
  return position_;
}

Result<abi::FileAttr> NodeFile::attributes() {
  return node_->attributes();
}

Result<void> NodeFile::truncate(std::uint64_t size) {
  if (size > current().process->rlimits[RLIMIT_FSIZE].soft &&
      size > TRY(node_->attributes()).size) {
    TRY(check_file_size(size));
  }
  if (!hold_.is_held()) {
    return node_->truncate(size);
  }
  const Mutex::Guard guard(hold_.turn());
  return node_->truncate(size);
}

Result<void> NodeFile::sync(bool data_only) {
  return node_->sync(data_only);
}

Result<aspace::Backing> NodeFile::backing(std::uint64_t offset, std::uint64_t length, MapUse use) {
  // Mappings hold the file, so they have ended when it does.
  if (!mapped_.exchange(true, std::memory_order_relaxed)) {
    node_->mapping_began();
  }
  return node_->backing(offset, length, use);
}

Result<std::uint64_t> NodeFile::copy_out_to(UserAddress to, std::uint64_t offset,
                                            std::uint64_t length) {
  IoBuffer buffer(UserSpan{.address = to, .size = length});
  return TRY(node_->read_at(buffer, offset));
}

Result<void> NodeFile::remove_range(std::uint64_t offset, std::uint64_t length) {
  return node_->allocate(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length);
}

Result<void> NodeFile::sync_mapping() {
  return node_->sync(false);
}

Result<std::uint32_t> NodeFile::check_map(std::uint32_t protection, bool shared) {
  if (!readable()) {
    return fail(EACCES);
  }
  if (!S_ISREG(mode_)) {
    return File::check_map(protection, shared);
  }
  std::uint32_t allowed = PROT_READ | PROT_WRITE | PROT_EXEC;
  if (shared && !writable()) {
    allowed &= ~std::uint32_t{PROT_WRITE};
  }
  const std::atomic<std::uint32_t>* const seals = node_->seals();
  if (shared && seals != nullptr && (seals->load() & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)) != 0) {
    allowed &= ~std::uint32_t{PROT_WRITE};
    if ((protection & PROT_WRITE) != 0) {
      return fail(EPERM);
    }
  }
  if (mount()->no_exec()) {
    allowed &= ~std::uint32_t{PROT_EXEC};
    if ((protection & PROT_EXEC) != 0) {
      return fail(EPERM);
    }
  }
  if ((protection & ~allowed) != 0) {
    return fail(EACCES);
  }
  return allowed;
}

// ---- directories -------------------------------------------------------------------------------

Result<std::size_t> DirectoryFile::read(IoBuffer& /*buffer*/) {
  return fail(EISDIR);
}

Result<std::size_t> DirectoryFile::write(IoBuffer& /*buffer*/) {
  return fail(EBADF);
}

Result<std::uint64_t> DirectoryFile::seek(std::int64_t offset, int whence) {
  if (whence != SEEK_SET || offset < 0) {
    return fail(EINVAL);
  }
  const Mutex::Guard guard(position_lock_);
  const auto target = static_cast<std::uint64_t>(offset);
  stage_ = Stage::Entries;
  cookie_ = target;
  if (target == 0) {
    stage_ = Stage::Dot;
  } else if (target == kDotCookie) {
    stage_ = Stage::DotDot;
    cookie_ = 0;
  } else if (target == kDotDotCookie) {
    cookie_ = 0;
  } else if (target >= kMountCookies && target < kDotCookie) {
    stage_ = Stage::Mounts;
    cookie_ = target - kMountCookies;
  }
  return target;
}

Result<abi::FileAttr> DirectoryFile::attributes() {
  return directory_->node()->attributes();
}

Result<void> DirectoryFile::sync(bool data_only) {
  return directory_->node()->sync(data_only);
}

namespace {

/// Renumbers the mount table's cookies into a range of their own.
class MountSink final : public DirSink {
 public:
  explicit MountSink(DirSink& sink) : sink_(sink) {}
  bool add(std::string_view name, std::uint64_t inode, std::uint64_t cookie,
           std::uint8_t type) override {
    return sink_.add(name, inode, kMountCookies + cookie, type);
  }
  [[nodiscard]] std::size_t capacity() const override { return sink_.capacity(); }

 private:
  DirSink& sink_;
};

}  // namespace

Result<void> DirectoryFile::add_mounts(DirSink& sink) {
  const auto path = TRY(make<std::array<char, abi::kMaxPath>>());
  const Directory::Where where = TRY(directory_->copy_path(*path));
  MountSink numbered(sink);
  MountTable::instance().list_guest_only(*mount(), {path->data(), where.length}, cookie_, numbered);
  return {};
}

Result<void> DirectoryFile::read_directory(DirSink& sink) {
  const Mutex::Guard guard(position_lock_);
  if (stage_ == Stage::Dot) {
    const abi::FileAttr attr = TRY(directory_->node()->attributes());
    if (!sink.add(".", attr.inode, kDotCookie, DT_DIR)) {
      return {};
    }
    stage_ = Stage::DotDot;
    // The parent's number would cost a walk; Linux programs compare attributes, not this one.
    if (!sink.add("..", attr.inode, kDotDotCookie, DT_DIR)) {
      return {};
    }
    stage_ = Stage::Entries;
    cookie_ = 0;
  } else if (stage_ == Stage::DotDot) {
    const abi::FileAttr attr = TRY(directory_->node()->attributes());
    if (!sink.add("..", attr.inode, kDotDotCookie, DT_DIR)) {
      return {};
    }
    stage_ = Stage::Entries;
    cookie_ = 0;
  }
  if (stage_ == Stage::Entries) {
    if (TRY(directory_->node()->read_directory(cookie_, sink)) == EndOfDirectory::Yes) {
      stage_ = Stage::Mounts;
      cookie_ = 0;
    }
  }
  if (stage_ == Stage::Mounts) {
    return add_mounts(sink);
  }
  return {};
}

}  // namespace runhl::kernel
