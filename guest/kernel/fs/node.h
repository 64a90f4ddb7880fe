// SPDX-License-Identifier: Apache-2.0
// A file-system object that is in use, and the base of operations on paths beneath it. Each file
// system (hostfs, tmpfs) is one kind of Node.
//
// Paths given to a node are relative, without empty, "." and ".." components and without mount
// points on the way: fs/path.h takes care of those. An empty path is the node itself. A node never
// follows a symlink; it stops and reports it:
//
//   LinkStop stop;
//   auto attr = node.walk({.path = "var/run/x", .follow = true, .stop = &stop});
//   // ELOOP, stop = {hit, 4, 7, "/run"}
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <span>
#include <string_view>

#include "core/result.h"
#include "core/user_memory.h"
#include "fs/io_buffer.h"
#include "mm/map_object.h"
#include "mm/ref.h"
#include "runhl/abi/ring.h"

namespace runhl::kernel {

class File;
class Node;
struct Mount;

// 4 KiB on a kernel stack, never read beyond `length`: not cleared.
struct LinkStop {
  bool hit = false;
  std::uint32_t start = 0, end = 0;  // of the symlink's component in the path
  std::uint32_t length = 0;
  // A magic link (/proc/PID/fd/N, exe, cwd ...) leads to an object, not along its text: `target` is
  // then the object's path within `jump_mount`, and `jump_node`, unless null, the object itself.
  Mount* jump_mount = nullptr;
  Ref<Node> jump_node;
  std::array<char, abi::kMaxPath> target;

  [[nodiscard]] std::string_view text() const { return {target.data(), length}; }
};

struct PathSpec {
  std::string_view path;
  bool follow = true;  // report a symlink at the end, too
  LinkStop* stop = nullptr;
  std::uint32_t masked = 0;  // bits that the umask took from the mode of what is made here
};

struct OpenRequest {
  std::uint32_t flags = 0;  // O_*
  std::uint32_t mode = 0;   // of a new file, umask applied
  bool inject = false;      // the file will be mapped: place its descriptor in the same trip
};

struct OpenedNode {
  Ref<Node> node;  // null: a device, FIFO or socket node, `attr` says which
  abi::FileAttr attr;
};

struct OwnerChange {
  std::uint32_t uid = ~0U, gid = ~0U;  // ~0: keep
};

struct DeviceNumber {
  std::uint32_t major = 0, minor = 0;
};

/// A value to be set, and how (XATTR_CREATE, XATTR_REPLACE).
struct XattrValue {
  std::span<const std::byte> bytes;
  std::uint32_t flags = 0;
};

/// Which file locks are about: the same for every open file of it.
struct LockKey {
  const void* filesystem = nullptr;
  std::uint64_t device = 0, inode = 0;

  friend bool operator==(const LockKey&, const LockKey&) = default;
};

/// A lock as the host keeps it for the whole guest (fs/file_locks.h).
struct HostLock {
  bool whole_file = false;  // flock; else a record lock
  std::uint8_t type = 0;    // LockType
  std::uint64_t start = 0, end = 0;
};

/// Receives directory entries; false: full, the entry was not taken.
class DirSink {
 public:
  virtual bool add(std::string_view name, std::uint64_t inode, std::uint64_t cookie,
                   std::uint8_t type) = 0;
  [[nodiscard]] virtual std::size_t capacity() const = 0;

 protected:
  ~DirSink() = default;
};

enum class EndOfDirectory : bool { No, Yes };

/// The defaults answer as a file system without that operation does.
class Node : public RefCounted<Node> {
 public:
  Node() = default;
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;
  virtual ~Node() = default;

  // On the object itself.
  virtual Result<abi::FileAttr> attributes() = 0;
  virtual Result<std::size_t> read_at(IoBuffer& buffer, std::uint64_t offset);
  /// kAppendOffset: at the end. Returns the bytes; `end` is the position behind them.
  virtual Result<std::size_t> write_at(IoBuffer& buffer, std::uint64_t offset, std::uint64_t& end);
  /// Entries behind `cookie` (0: from the first); `cookie` moves along.
  virtual Result<EndOfDirectory> read_directory(std::uint64_t& cookie, DirSink& sink);
  virtual Result<void> truncate(std::uint64_t size);
  virtual Result<void> sync(bool data_only);
  virtual Result<void> sync_range(std::uint64_t offset, std::uint64_t length, std::uint32_t flags);
  virtual Result<LockKey> lock_key();
  // Against others on the host; a file system of the guest's own has none. EAGAIN: they hold one.
  virtual Result<void> lock_on_host(const HostLock& lock);
  virtual Result<HostLock> test_on_host(const HostLock& lock);
  /// syncfs: all of the file system.
  virtual Result<void> sync_filesystem();
  /// fallocate; `mode` is FALLOC_FL_*, the range does not overflow.
  virtual Result<void> allocate(std::uint32_t mode, std::uint64_t offset, std::uint64_t length);
  /// SEEK_DATA, SEEK_HOLE. The default: all of the file is data.
  virtual Result<std::uint64_t> seek(std::uint64_t offset, int whence);
  /// Copies without passing through the caller; EOPNOTSUPP, EXDEV: the caller has to do it.
  virtual Result<std::size_t> copy_range(std::uint64_t offset, Node& to, std::uint64_t to_offset,
                                         std::uint64_t length);
  virtual Result<abi::StatFsReply> statfs() = 0;
  virtual Result<aspace::Backing> backing(std::uint64_t offset, std::uint64_t length, MapUse use);
  virtual Result<aspace::Backing> backing_at_once(std::uint64_t offset, std::uint64_t length,
                                                  MapUse use);
  virtual std::uint64_t mapped_end() { return ~std::uint64_t{0}; }
  /// An open file asks for backing() from now on; it does no more.
  virtual void mapping_began() {}
  virtual void mapping_ended() {}
  /// The open file of a node whose files are of a kind of their own; null: what the type says.
  virtual Result<Ref<File>> make_file(std::uint32_t flags, Mount& mount);
  /// An open regular file can only be opened again by its name.
  [[nodiscard]] virtual bool reopens_by_name() const { return false; }

  // On a path beneath it.
  virtual Result<abi::FileAttr> walk(const PathSpec& at) = 0;
  virtual Result<OpenedNode> open(const PathSpec& at, const OpenRequest& request) = 0;
  virtual Result<std::size_t> read_link(const PathSpec& at, std::span<char> target) = 0;
  virtual Result<void> make_directory(const PathSpec& at, std::uint32_t mode);
  virtual Result<void> make_symlink(const PathSpec& at, std::string_view target);
  virtual Result<void> remove(const PathSpec& at, bool directory);
  /// `to` is of the same file system; symlinks were resolved in both.
  virtual Result<void> rename(const PathSpec& at, Node& to, const PathSpec& to_at,
                              std::uint32_t flags);
  virtual Result<void> make_link(const PathSpec& at, Node& to, const PathSpec& to_at);
  /// A FIFO, socket, regular file or device; `mode` has the type.
  virtual Result<void> make_special(const PathSpec& at, std::uint32_t mode, DeviceNumber number);
  /// Gives this file itself a name: linkat(AT_EMPTY_PATH).
  virtual Result<void> link_self(Node& to, const PathSpec& to_at);
  virtual Result<void> set_mode(const PathSpec& at, std::uint32_t mode);
  virtual Result<void> set_owner(const PathSpec& at, OwnerChange owner);
  virtual Result<void> set_times(const PathSpec& at, const std::array<abi::Timestamp, 2>& times);

  // Extended attributes; sizes are of the whole value or list, also where `out` is empty.
  virtual Result<std::size_t> get_xattr(const PathSpec& at, std::string_view name,
                                        std::span<std::byte> out);
  virtual Result<void> set_xattr(const PathSpec& at, std::string_view name,
                                 const XattrValue& value);
  virtual Result<std::size_t> list_xattrs(const PathSpec& at, std::span<std::byte> out);
  virtual Result<void> remove_xattr(const PathSpec& at, std::string_view name);

  /// F_SEAL_* of a file that can have them; null: none.
  virtual std::atomic<std::uint32_t>* seals() { return nullptr; }

  /// Nodes of equal identity may be linked and renamed between.
  [[nodiscard]] virtual const void* filesystem() const = 0;
};

inline constexpr std::uint64_t kAppendOffset = ~std::uint64_t{0};

}  // namespace runhl::kernel
