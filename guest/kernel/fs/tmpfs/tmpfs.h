// SPDX-License-Identifier: Apache-2.0
// A file system in kernel memory: /tmp, /dev, /dev/shm, and the empty directories that stand for
// what is not there.
//
//   tmpfs.cc             nodes, opening, reading directories
//   tmpfs_names.cc       finding, making, removing, renaming
//   tmpfs_attributes.cc  mode, owner, times, extended attributes
//   tmpfs_data.cc        bytes and mappings, over fs/tmpfs/file_pages.h
//   tmpfs_lower.cc       what it begins as: the tree of an initrd (fs/tmpfs/initrd_archive.h)
//
// A node stands for one inode whatever becomes of it: a lower file keeps its number, its links and
// the files that are open when it is written, renamed or unlinked, since it is the same node before
// and after.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>

#include <atomic>
#include <boost/intrusive/list.hpp>
#include <boost/intrusive/set.hpp>
#include <cstdint>
#include <memory>

#include "fs/node.h"
#include "fs/text.h"
#include "fs/tmpfs/file_pages.h"
#include "fs/tmpfs/initrd_archive.h"
#include "fs/tmpfs/xattr_store.h"
#include "sched/locks.h"

namespace runhl::kernel {

class TmpfsNode;

struct LowerTag;
/// What makes a node that began as an inode of the lower tree known by its number.
struct LowerNode : boost::intrusive::set_base_hook<boost::intrusive::tag<LowerTag>>,
                   boost::intrusive::list_base_hook<boost::intrusive::tag<LowerTag>> {
  std::uint32_t lower_ = 0;  // 0: none
  bool changed_ = false;     // it must be kept: the archive does not say what it is
  friend bool operator<(const LowerNode& a, const LowerNode& b) { return a.lower_ < b.lower_; }
};

/// What all nodes of one tmpfs share.
struct TmpfsInstance : RefCounted<TmpfsInstance> {
  TmpfsInstance(std::uint64_t limit, std::uint64_t most_inodes, std::uint32_t number)
      : quota(limit), inode_limit(most_inodes), device(number) {}
  Mutex lock{LockRank::Inode};  // names, attributes and bytes of all its nodes
  PageQuota quota;
  const std::uint64_t inode_limit;  // 0: none
  std::atomic<std::uint64_t> inodes{0};
  const std::uint32_t device;                     // st_dev
  std::atomic<std::uint32_t> seals{F_SEAL_SEAL};  // of all files: none, and none may be added
  std::atomic<std::uint64_t> next_inode{1};

  // Nodes over the lower tree. The table holds all that are changed and the unchanged ones that
  // were used last.
  std::unique_ptr<InitrdArchive> lower;  // null: there is none
  [[nodiscard]] TmpfsNode* find(std::uint32_t lower_inode);
  void remember(TmpfsNode& node);
  void forget(TmpfsNode& node);
  void forget_all();  // of a root that is given up: nodes and instance hold each other

 private:
  struct NumberLess {
    bool operator()(std::uint32_t a, const LowerNode& b) const { return a < b.lower_; }
    bool operator()(const LowerNode& a, std::uint32_t b) const { return a.lower_ < b; }
  };
  void trim();
  boost::intrusive::set<
      LowerNode,
      boost::intrusive::base_hook<boost::intrusive::set_base_hook<boost::intrusive::tag<LowerTag>>>>
      nodes_;
  boost::intrusive::list<LowerNode, boost::intrusive::base_hook<boost::intrusive::list_base_hook<
                                        boost::intrusive::tag<LowerTag>>>>
      by_use_;
};

class TmpfsNode final : public Node, private LowerNode {
 public:
  /// A new, empty file system; its root directory.
  static Result<Ref<TmpfsNode>> create_root(std::uint64_t size_limit, std::uint32_t mode,
                                            std::uint64_t inode_limit = 0);
  /// For mount options, before anybody sees it.
  void set_root_owner(std::uint32_t uid, std::uint32_t gid);
  /// A file system that begins as `archive`; what is changed is kept in memory.
  static Result<Ref<TmpfsNode>> create_initrd_root(const InitrdArchive& archive,
                                                   std::uint64_t size_limit);
  /// Unchanged and changed alike: a file system over an archive ends with it (tests).
  void forget_lower_nodes() { instance_->forget_all(); }
  /// A lone /dev/null, to cover a file with.
  static Result<Ref<TmpfsNode>> create_null_device();
  TmpfsNode(const TmpfsNode&) = delete;
  TmpfsNode& operator=(const TmpfsNode&) = delete;
  ~TmpfsNode() override;

  Result<abi::FileAttr> attributes() override;
  Result<std::size_t> read_at(IoBuffer& buffer, std::uint64_t offset) override;
  Result<std::size_t> write_at(IoBuffer& buffer, std::uint64_t offset, std::uint64_t& end) override;
  Result<EndOfDirectory> read_directory(std::uint64_t& cookie, DirSink& sink) override;
  Result<void> truncate(std::uint64_t size) override;
  Result<void> allocate(std::uint32_t mode, std::uint64_t offset, std::uint64_t length) override;
  Result<std::uint64_t> seek(std::uint64_t offset, int whence) override;
  Result<abi::StatFsReply> statfs() override;
  Result<aspace::Backing> backing(std::uint64_t offset, std::uint64_t length, MapUse use) override;
  Result<aspace::Backing> backing_at_once(std::uint64_t offset, std::uint64_t length,
                                          MapUse use) override;
  std::uint64_t mapped_end() override;
  void mapping_began() override;
  void mapping_ended() override;
  Result<abi::FileAttr> walk(const PathSpec& at) override;
  Result<OpenedNode> open(const PathSpec& at, const OpenRequest& request) override;
  Result<std::size_t> read_link(const PathSpec& at, std::span<char> target) override;
  Result<void> make_directory(const PathSpec& at, std::uint32_t mode) override;
  Result<void> make_symlink(const PathSpec& at, std::string_view target) override;
  Result<void> remove(const PathSpec& at, bool directory) override;
  Result<void> rename(const PathSpec& at, Node& to, const PathSpec& to_at,
                      std::uint32_t flags) override;
  Result<void> make_link(const PathSpec& at, Node& to, const PathSpec& to_at) override;
  Result<void> make_special(const PathSpec& at, std::uint32_t mode, DeviceNumber number) override;
  Result<void> link_self(Node& to, const PathSpec& to_at) override;
  Result<void> set_mode(const PathSpec& at, std::uint32_t mode) override;
  Result<void> set_owner(const PathSpec& at, OwnerChange owner) override;
  Result<void> set_times(const PathSpec& at, const std::array<abi::Timestamp, 2>& times) override;
  Result<std::size_t> get_xattr(const PathSpec& at, std::string_view name,
                                std::span<std::byte> out) override;
  Result<void> set_xattr(const PathSpec& at, std::string_view name,
                         const XattrValue& value) override;
  Result<std::size_t> list_xattrs(const PathSpec& at, std::span<std::byte> out) override;
  Result<void> remove_xattr(const PathSpec& at, std::string_view name) override;
  [[nodiscard]] const void* filesystem() const override { return instance_.get(); }
  std::atomic<std::uint32_t>* seals() override {
    return S_ISREG(attr_.mode) ? &instance_->seals : nullptr;
  }

  // For the kernel itself, at boot; no permission is asked.
  Result<Ref<TmpfsNode>> add_directory(std::string_view name, std::uint32_t mode);
  Result<void> add_device(std::string_view name, std::uint32_t mode, std::uint32_t major,
                          std::uint32_t minor);
  Result<void> add_symlink(std::string_view name, std::string_view target);
  /// Makes what is missing of a path of plain names.
  Result<void> add_directories(std::string_view path, std::uint32_t mode);

 private:
  friend struct TmpfsInstance;
  /// A name. Without a node it only hides the lower one.
  struct Entry : boost::intrusive::list_base_hook<>, boost::intrusive::set_base_hook<> {
    Text name;
    Ref<TmpfsNode> node;
    std::uint64_t cookie = 0;
    bool hides = false;  // the lower directory has the name, too
    friend bool operator<(const Entry& a, const Entry& b) { return a.name.view() < b.name.view(); }
  };
  struct NameLess {
    bool operator()(std::string_view a, const Entry& b) const { return a < b.name.view(); }
    bool operator()(const Entry& a, std::string_view b) const { return a.name.view() < b; }
  };
  /// A node, or an inode of the lower tree that needs none yet: looking costs no memory.
  struct Object {
    TmpfsNode* node = nullptr;
    std::uint32_t lower = 0;
    [[nodiscard]] bool exists() const { return node != nullptr || lower != 0; }
    friend bool operator==(const Object&, const Object&) = default;
  };
  /// Where a path leads.
  struct Place {
    Object directory;  // none: the path is empty
    std::string_view name;
    Entry* entry = nullptr;  // of the directory's own
    Object object;           // none: the last name is missing
  };
  struct OwnPlace {
    Ref<TmpfsNode> directory, node;
    Entry* entry = nullptr;
  };

  TmpfsNode(const Ref<TmpfsInstance>& instance, std::uint32_t mode);
  Result<Ref<TmpfsNode>> make_node(std::uint32_t mode) const;
  static Result<Ref<TmpfsNode>> make_own(const Ref<TmpfsInstance>& instance, std::uint32_t mode);

  // tmpfs_lower.cc
  [[nodiscard]] Object object(std::uint32_t lower) const;
  [[nodiscard]] Result<Ref<TmpfsNode>> node_of(const Object& object) const;
  [[nodiscard]] Result<abi::FileAttr> raw_attr(const Object& object) const;
  /// EINVAL: not a symlink.
  [[nodiscard]] Result<std::string_view> link_target(const Object& object) const;
  Result<EndOfDirectory> read_lower_names(std::uint64_t& cookie, DirSink& sink);

  // tmpfs_names.cc
  Result<Object> child(const Object& directory, std::string_view name, Entry*& entry) const;
  [[nodiscard]] bool is_same(const Object& a, const Object& b) const;
  Result<Place> find(const PathSpec& at);
  Result<Object> find_existing(const PathSpec& at);
  Result<Ref<TmpfsNode>> find_node(const PathSpec& at);
  Entry* lookup(std::string_view name);
  Result<void> insert(std::string_view name, Ref<TmpfsNode> node);
  Result<Entry*> hide(std::string_view name);
  void vacate(Entry& entry);
  void drop(Entry& entry);
  Result<OwnPlace> own_place(const Place& place) const;
  void unlinked(TmpfsNode& node) const;
  Result<Ref<TmpfsNode>> check_create(const PathSpec& at, Place& place);
  [[nodiscard]] Result<Ref<TmpfsNode>> writable_directory(const Object& object) const;
  [[nodiscard]] Result<bool> is_empty(const Object& directory) const;
  [[nodiscard]] Result<void> check_remove(const Place& place, bool directory) const;
  [[nodiscard]] Result<bool> is_or_contains(const Object& outer, Object inner) const;
  Result<void> exchange(const Place& from, const Place& into) const;

  Result<OpenedNode> open_unnamed(const PathSpec& at, const OpenRequest& request);
  Result<void> add_link(TmpfsNode& to, const PathSpec& to_at);
  Result<void> leave_whiteout(std::string_view name);
  Result<void> take_lower_xattrs(std::uint32_t set);
  void drop_privileges();
  Result<OpenedNode> create_file(const Place& place, std::uint32_t mode) const;
  Result<std::size_t> write_part(IoBuffer& buffer, std::uint64_t offset, std::size_t done,
                                 std::uint64_t& end);
  Result<void> set_aside(std::uint64_t offset, std::uint64_t end);
  void resize(std::uint64_t size);
  void cut(std::uint64_t size);
  Result<aspace::Backing> backing_locked(std::uint64_t offset, std::uint64_t length, MapUse use);
  void touch(bool modified);
  [[nodiscard]] abi::FileAttr filled_attr() const;

  Ref<TmpfsInstance> instance_;
  abi::FileAttr attr_{};
  Text target_;  // of a symlink
  FilePages pages_;
  XattrStore xattrs_;
  bool linkable_ = false;        // made by O_TMPFILE: may get its first name
  TmpfsNode* parent_ = nullptr;  // of a directory; null: where the lower tree has it
  boost::intrusive::set<Entry> by_name_;
  boost::intrusive::list<Entry> by_age_;
  std::uint64_t next_cookie_ = 1;
  std::uint32_t own_names_ = 0;     // entries with a node
  std::uint32_t hidden_names_ = 0;  // of the lower directory
  std::uint32_t lower_names_ = 0;
};

}  // namespace runhl::kernel
