// SPDX-License-Identifier: Apache-2.0
// The mount tree, made at boot and never changed after. A mount hangs below another one at a path
// within it; the root mount hangs nowhere.
//
//   Position = (mount, path within the mount): the guest's path of it is guest_path(position).
//
// A position in use (an open file, cwd) is a Place, with the node there a Directory. Its path is
// corrected when the guest renames what it names or one of its parents.
#pragma once

#include <boost/intrusive/list.hpp>
#include <cstdint>
#include <span>
#include <string_view>

#include "core/result.h"
#include "fs/node.h"
#include "fs/text.h"
#include "mm/ref.h"
#include "runhl/abi/boot.h"
#include "sched/locks.h"

namespace runhl::kernel {

class Place;
class TmpfsNode;

struct Mount : boost::intrusive::list_base_hook<> {
  Mount* parent = nullptr;
  Text mountpoint;  // within parent, no leading '/'
  Ref<Node> root;
  TmpfsNode* tmpfs = nullptr;  // root, where it is one
  std::uint32_t flags = 0;     // abi::MountFlags
  bool never_exec = false;     // whatever the flags say: Linux's SB_I_NOEXEC
  bool in_guest_only = false;  // the mount point does not exist in the parent
  std::uint32_t id = 0;
  Text source;
  Text type;     // "proc", "tmpfs", ...: as /proc/mounts names it
  Text subtree;  // of the file system, where not all of it is mounted here; no leading '/'

  [[nodiscard]] bool read_only() const { return (flags & abi::kMountReadOnly) != 0; }
  [[nodiscard]] bool no_exec() const { return never_exec || (flags & abi::kMountNoExec) != 0; }
};

class Place : public RefCounted<Place>, public boost::intrusive::list_base_hook<> {
 public:
  static Result<Ref<Place>> create(Mount& mount, std::string_view path);
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  virtual ~Place();

  [[nodiscard]] Mount& mount() const { return mount_; }
  /// Copies the path within the mount; its length. `removed` tells of an unlink or rmdir.
  struct Where {
    std::size_t length;
    bool removed;
  };
  Result<Where> copy_path(std::span<char> out) const;
  [[nodiscard]] bool is_at(const Mount& mount, std::string_view path) const;
  /// For what never had a name of its own (O_TMPFILE).
  void mark_removed();

 protected:
  Place(Mount& mount, Text path);

 private:
  Mount& mount_;
  Text path_;
  bool removed_ = false;
  friend class MountTable;
};

class Directory final : public Place {
 public:
  static Result<Ref<Directory>> create(Mount& mount, std::string_view path, Ref<Node> node);
  [[nodiscard]] const Ref<Node>& node() const { return node_; }

 private:
  Directory(Mount& mount, Text path, Ref<Node> node);
  Ref<Node> node_;
};

class MountTable {
 public:
  static MountTable& instance();  // one mount namespace for now

  Result<Mount*> add(Mount* parent, std::string_view mountpoint, Ref<Node> root,
                     std::uint32_t flags, std::string_view source);
  [[nodiscard]] Mount* root() { return mounts_.empty() ? nullptr : &mounts_.front(); }
  /// The mount on top at this position, or null.
  Mount* mounted_at(const Mount& mount, std::string_view path);
  /// Names of mount points directly in this directory that the file system does not show.
  void list_guest_only(const Mount& mount, std::string_view path, std::uint64_t& cookie,
                       DirSink& sink);
  /// "/a/b" of a position, into `out`; its length. ENAMETOOLONG (Linux: getcwd's ERANGE).
  Result<std::size_t> guest_path(const Mount& mount, std::string_view path, std::span<char> out);

  /// What magic links lead to when it has no name: pipes and the like.
  Mount& anonymous() { return anonymous_; }
  /// For each mount, in the order they were made.
  template <typename F>
  void for_each(F&& act) {
    for (const Mount& mount : mounts_) {
      act(mount);
    }
  }

  void note_renamed(const Mount& mount, std::string_view from, std::string_view to);
  void note_removed(const Mount& mount, std::string_view path);
  void clear();  // tests

 private:
  friend class Place;
  Mutex places_lock_{LockRank::Inode};
  boost::intrusive::list<Mount> mounts_;
  boost::intrusive::list<Place> places_;
  Mount anonymous_;
  std::uint32_t next_id_ = 1;
};

}  // namespace runhl::kernel
