// SPDX-License-Identifier: Apache-2.0
// inotify(7) of what this guest does itself: system calls tell of changes, watches take note.
//
//   vfs.cc, io.cc ── if (file_watches_exist()) ──► tell_watches(event) ──► Inotify's queue ──► read
//
// A watch is on an inode (fs/inode_object.h's key). Without any watch nothing is looked up.
#pragma once

#include <sys/cdefs.h>  // which the next one needs and does not name, freestanding
#include <sys/inotify.h>

#include <boost/intrusive/list.hpp>
#include <boost/intrusive/set.hpp>
#include <cstdint>
#include <string_view>

#include "fs/file.h"
#include "fs/inode_object.h"
#include "fs/text.h"

namespace runhl::kernel {

class Inotify;

/// Where an open file or a change is, as watches know it.
struct WatchedPlace : RefCounted<WatchedPlace> {
  InodeKey object;
  InodeKey parent;
  bool has_parent = false;
  bool is_directory = false;
  Text name;  // in the parent
};

/// IN_* of one change, for watches on the object and on its directory.
struct FileEvent {
  std::uint32_t mask = 0;
  const WatchedPlace& place;
  std::uint32_t cookie = 0;
  enum class To : std::uint8_t { Both, Parent, Object } to = To::Both;
};

bool file_watches_exist();
/// What lies at a path now; null: nothing.
Ref<WatchedPlace> watched_place(Node& base, const PathSpec& at);
/// After a change at a path. Nothing where nobody watches.
void tell_change(Node& base, const PathSpec& at, std::uint32_t mask,
                 FileEvent::To to = FileEvent::To::Both);
void tell_watches(const FileEvent& event);
/// What binds IN_MOVED_FROM and IN_MOVED_TO together.
std::uint32_t next_move_cookie();
/// Of an open file: where it was opened, or else its inode alone. IN_ACCESS, IN_MODIFY, …
void tell_file_event(File& file, std::uint32_t mask);

/// struct inotify_event without its name.
struct WatchEvent {
  std::int32_t watch = -1;
  std::uint32_t mask = 0, cookie = 0;
  std::uint32_t length = 0;  // of the name, padded
};

class Inotify final : public File {
 public:
  explicit Inotify(std::uint32_t flags) : File(flags) {}
  Inotify(const Inotify&) = delete;
  Inotify& operator=(const Inotify&) = delete;
  ~Inotify() override;

  /// The watch's number. ENOSPC, EEXIST (IN_MASK_CREATE).
  Result<int> add_watch(const InodeKey& key, std::uint32_t mask);
  Result<void> remove_watch(int number);

  Result<std::size_t> read(IoBuffer& buffer) override;
  Result<std::size_t> write(IoBuffer& /*buffer*/) override { return fail(EBADF); }
  Result<abi::FileAttr> attributes() override;
  Result<std::uint64_t> ioctl(std::uint32_t command, UserAddress argument) override;
  std::uint32_t poll_state() override;
  /// As Linux's: no error and no effect.
  Result<std::uint64_t> seek(std::int64_t /*offset*/, int /*whence*/) override { return 0; }
  PollSource* poll_source() override { return &source_; }
  [[nodiscard]] std::string_view anonymous_name() const override { return "inotify"; }
  Inotify* as_inotify() override { return this; }

 private:
  friend class Watches;
  struct Event : boost::intrusive::list_base_hook<> {
    WatchEvent head;
    Text name;
  };
  void queue_locked(const WatchEvent& head, std::string_view name);

  // Guarded by the watches' lock.
  boost::intrusive::list<Event> events_;
  std::size_t event_bytes_ = 0;
  int last_number_ = 0;
  int watch_count_ = 0;
  WaitQueue readers_;
  PollSource source_;
};

}  // namespace runhl::kernel
