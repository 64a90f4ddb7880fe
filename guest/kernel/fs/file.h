// SPDX-License-Identifier: Apache-2.0
// An open file description: what descriptors refer to, shared by dup and fork. The kinds:
//
//   NodeFile      regular files and directories of any file system   fs/node_file.h
//   DeviceFile    null, zero, full, random                           fs/device_file.h
//   StreamFile    the container's three streams                      fs/stream_file.h
//   PipeEnd       pipe(2)                                            fs/pipe.h
#pragma once

#include <fcntl.h>

#include <atomic>
#include <cstdint>
#include <string_view>

#include "core/result.h"
#include "fs/io_buffer.h"
#include "fs/mount.h"
#include "fs/node.h"
#include "mm/map_object.h"
#include "mm/ref.h"
#include "sched/wait.h"

namespace runhl::kernel {

class TextWriter;

class File : public MapObject {
 public:
  explicit File(std::uint32_t flags, Mount* mount = nullptr) : mount_(mount), flags_(flags) {}

  // The defaults are those of something that cannot seek and is no directory.
  virtual Result<std::size_t> read(IoBuffer& buffer) = 0;
  virtual Result<std::size_t> write(IoBuffer& buffer) = 0;
  /// It can be read and written at an offset: asked before the access mode, as Linux does.
  [[nodiscard]] virtual bool has_positions() const { return false; }
  virtual Result<std::size_t> read_at(IoBuffer& buffer, std::uint64_t offset);
  virtual Result<std::size_t> write_at(IoBuffer& buffer, std::uint64_t offset);
  virtual Result<std::uint64_t> seek(std::int64_t offset, int whence);
  virtual Result<abi::FileAttr> attributes() = 0;
  virtual Result<void> read_directory(DirSink& sink);
  virtual Result<void> truncate(std::uint64_t size);
  virtual Result<void> sync(bool data_only);
  virtual Result<std::uint64_t> ioctl(std::uint32_t command, UserAddress argument);
  Result<aspace::Backing> backing(std::uint64_t offset, std::uint64_t length, MapUse use) override;
  File* as_file() final { return this; }
  /// EACCES, ENODEV, EPERM where mmap is refused; `max_protection` is what mprotect may give.
  virtual Result<std::uint32_t> check_map(std::uint32_t protection, bool shared);

  /// A mapping of it is one of fresh memory (/dev/zero).
  [[nodiscard]] virtual bool maps_as_anonymous() const { return false; }

  /// POLL* that hold now.
  virtual std::uint32_t poll_state();
  /// Input that only the monitor knows about: poll_state() cannot tell, wait_ready() can.
  virtual bool polls_at_monitor() const { return false; }
  /// Waits until some of `events` hold: revents, EINTR, ETIMEDOUT.
  virtual Result<std::uint32_t> wait_ready(std::uint32_t events, Nanoseconds deadline);
  /// Woken when poll_state() may have changed; null: it never does.
  virtual WaitQueue* poll_queue() { return nullptr; }

  /// Where *at() calls begin, for open directories; else null.
  [[nodiscard]] virtual Ref<Directory> directory() const { return nullptr; }
  /// For fchmod, fchown, futimens, fstatfs; null: none.
  [[nodiscard]] virtual Ref<Node> node() const { return nullptr; }

  /// A new description of the same object, as open() of /proc/self/fd/N makes one. ENXIO: no.
  /// Not asked of files with a node.
  virtual Result<Ref<File>> reopen(std::uint32_t flags);
  /// What /proc/PID/fd/N shows of a file without a place: "anon_inode:" and this, unless empty.
  [[nodiscard]] virtual std::string_view anonymous_name() const { return {}; }

  /// Lines of its own in /proc/PID/fdinfo/N.
  virtual void describe(TextWriter& /*out*/) const {}
  /// Where the next read begins, for who looks from outside; 0 where that means nothing.
  [[nodiscard]] virtual std::uint64_t position() const { return 0; }

  /// Where it was opened; null: nowhere.
  [[nodiscard]] const Ref<Place>& place() const { return place_; }
  void set_place(Ref<Place> place) { place_ = std::move(place); }  // by who made it, at once
  [[nodiscard]] Mount* mount() const { return mount_; }
  [[nodiscard]] std::uint32_t flags() const { return flags_.load(std::memory_order_relaxed); }
  void set_flags(std::uint32_t flags) { flags_.store(flags, std::memory_order_relaxed); }
  [[nodiscard]] bool readable() const {
    return (flags() & O_PATH) == 0 && (flags() & O_ACCMODE) != O_WRONLY;
  }
  [[nodiscard]] bool writable() const {
    return (flags() & O_PATH) == 0 && (flags() & O_ACCMODE) != O_RDONLY;
  }
  [[nodiscard]] bool nonblocking() const { return (flags() & O_NONBLOCK) != 0; }

 private:
  Mount* mount_;  // of the path it was opened by; null: none
  std::atomic<std::uint32_t> flags_;
  Ref<Place> place_;
};

}  // namespace runhl::kernel
