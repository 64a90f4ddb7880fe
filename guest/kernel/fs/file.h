// SPDX-License-Identifier: Apache-2.0
// An open file description: what descriptors refer to, shared by dup and fork. The kinds:
//
//   NodeFile      regular files and directories of any file system   fs/node_file.h
//   DeviceFile    null, zero, full, random                           fs/device_file.h
//   StreamFile    the container's three streams                      fs/stream_file.h
//   PipeEnd       pipe(2)                                            fs/objects/pipe.h
//   Epoll         epoll_create(2)                                    fs/objects/epoll.h
//   EventFile     eventfd(2)                                         fs/objects/event_file.h
//   Inotify       inotify_init(2)                                    fs/objects/inotify.h
//   TimerFile     timerfd_create(2)                                  fs/objects/timer_file.h
//   SignalFile    signalfd(2)                                        fs/objects/signal_file.h
//   PidFile       pidfd_open(2), clone(2)                            fs/objects/pid_file.h
//   Socket        socket(2)                                          fs/socket.h
#pragma once

#include <fcntl.h>

#include <atomic>
#include <boost/intrusive/list.hpp>
#include <cstdint>
#include <string_view>

#include "core/result.h"
#include "fs/io_buffer.h"
#include "fs/mount.h"
#include "fs/node.h"
#include "fs/poll_source.h"
#include "mm/map_object.h"
#include "mm/ref.h"

namespace runhl::kernel {

class AsyncNotice;
class Epoll;
class FileTimer;
class Inotify;
class PidFile;
class Pipe;
class SignalFile;
class Socket;
class TextWriter;
struct WatchedPlace;

/// Whether a call waits for what it cannot have at once.
enum class Blocking : bool { No, Yes };

/// Who knows an open file without keeping it open: an epoll.
class FileWatcher : public boost::intrusive::list_base_hook<> {
 public:
  FileWatcher() = default;
  FileWatcher(const FileWatcher&) = delete;
  FileWatcher& operator=(const FileWatcher&) = delete;
  /// Its last descriptor is gone; with the readiness lock held, taken off the file's list.
  virtual void on_file_closed() = 0;

 protected:
  ~FileWatcher() = default;
};

class File : public MapObject {
 public:
  explicit File(std::uint32_t flags, Mount* mount = nullptr);
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() override;  // gives up its locks

  // The defaults are those of something that cannot seek and is no directory.
  virtual Result<std::size_t> read(IoBuffer& buffer) = 0;
  virtual Result<std::size_t> write(IoBuffer& buffer) = 0;
  /// It can be read and written at an offset: asked before the access mode, as Linux does.
  [[nodiscard]] virtual bool has_positions() const { return false; }
  virtual Result<std::size_t> read_at(IoBuffer& buffer, std::uint64_t offset);
  /// pwritev2 with RWF_APPEND; `moves`: the position follows. Of a stream: as write().
  virtual Result<std::size_t> append(IoBuffer& buffer, bool /*moves*/) { return write(buffer); }
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

  /// POLL* that hold now. May ask the monitor: no spinlock is held.
  virtual std::uint32_t poll_state();
  /// Who tells when poll_state() may have changed; null: it never does, and no epoll takes it.
  virtual PollSource* poll_source() { return nullptr; }
  /// The caller observes poll_source() for `events` and is about to sleep: what holds now, or 0
  /// where only the monitor knows, which then tells the source, at once if need be.
  virtual std::uint32_t poll_watch(std::uint32_t events);
  // What it is, for calls that are about one kind; null: something else.
  virtual Epoll* as_epoll() { return nullptr; }
  virtual Pipe* as_pipe() { return nullptr; }
  virtual Socket* as_socket() { return nullptr; }
  virtual FileTimer* as_timer() { return nullptr; }
  virtual SignalFile* as_signal_file() { return nullptr; }
  virtual Inotify* as_inotify() { return nullptr; }
  virtual PidFile* as_pid_file() { return nullptr; }
  /// For inotify: where it was opened, while anybody watched; else null.
  [[nodiscard]] const Ref<WatchedPlace>& watched_place() const { return watched_place_; }
  void set_watched_place(Ref<WatchedPlace> place);  // by who made it, at once
  /// Guarded by the readiness lock.
  void add_watcher(FileWatcher& watcher) {
    watched_.store(true, std::memory_order_relaxed);
    watchers_.push_back(watcher);
  }
  void remove_watcher(FileWatcher& watcher) { watchers_.erase(watchers_.iterator_to(watcher)); }

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

  /// F_SETOWN and its kin (fs/async_notice.h); null: nobody asked for signals. Lives as the file.
  [[nodiscard]] AsyncNotice* async_notice() const {
    return async_notice_.load(std::memory_order_acquire);
  }
  /// False: it has one already.
  bool set_async_notice(AsyncNotice* notice) {
    AsyncNotice* none = nullptr;
    return async_notice_.compare_exchange_strong(none, notice);
  }

  /// Where it was opened; null: nowhere.
  [[nodiscard]] const Ref<Place>& place() const { return place_; }
  void set_place(Ref<Place> place) { place_ = std::move(place); }  // by who made it, at once
  [[nodiscard]] Mount* mount() const { return mount_; }
  /// Credentials::serial of who opened it.
  [[nodiscard]] std::uint64_t opener() const { return opener_; }
  [[nodiscard]] std::uint32_t flags() const { return flags_.load(std::memory_order_relaxed); }
  void set_flags(std::uint32_t flags) { flags_.store(flags, std::memory_order_relaxed); }
  /// 1 reads, 2 writes; O_ACCMODE itself is neither (open for ioctl only).
  [[nodiscard]] static std::uint32_t to_mode(std::uint32_t flags) {
    return (flags + 1) & std::uint32_t{O_ACCMODE};
  }
  [[nodiscard]] bool readable() const {
    return (flags() & O_PATH) == 0 && (to_mode(flags()) & 1U) != 0;
  }
  [[nodiscard]] bool writable() const {
    return (flags() & O_PATH) == 0 && (to_mode(flags()) & 2U) != 0;
  }
  [[nodiscard]] bool nonblocking() const { return (flags() & O_NONBLOCK) != 0; }

 protected:
  void on_last_release() override;
  using Watchers = boost::intrusive::list<FileWatcher, boost::intrusive::constant_time_size<false>>;
  [[nodiscard]] const Watchers& watchers() const { return watchers_; }

 private:
  Mount* mount_;  // of the path it was opened by; null: none
  std::atomic<std::uint32_t> flags_;
  const std::uint64_t opener_;
  Ref<Place> place_;
  std::atomic<AsyncNotice*> async_notice_{nullptr};  // owned
  Watchers watchers_;
  std::atomic<bool> watched_{false};  // ever
  Ref<WatchedPlace> watched_place_;
};

}  // namespace runhl::kernel
