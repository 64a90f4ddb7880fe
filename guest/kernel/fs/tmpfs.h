// SPDX-License-Identifier: Apache-2.0
// A file system in kernel memory: /tmp, /dev, /dev/shm, and the empty directories that stand for
// what is not there. Each file's bytes are one contiguous run, so that they can be mapped.
#pragma once

#include <atomic>
#include <boost/intrusive/list.hpp>
#include <boost/intrusive/set.hpp>
#include <cstdint>

#include "fs/node.h"
#include "fs/text.h"
#include "fs/xattr_store.h"
#include "sched/locks.h"

namespace runhl::kernel {

class TmpfsNode;

/// What all nodes of one tmpfs share.
struct TmpfsInstance : RefCounted<TmpfsInstance> {
  TmpfsInstance(std::uint64_t limit, std::uint64_t most_inodes, std::uint32_t number)
      : size_limit(limit), inode_limit(most_inodes), device(number) {}
  Mutex lock{LockRank::Inode};      // names, attributes and bytes of all its nodes
  const std::uint64_t size_limit;   // bytes
  const std::uint64_t inode_limit;  // 0: none
  std::atomic<std::uint64_t> inodes{0};
  const std::uint32_t device;  // st_dev
  std::atomic<std::uint64_t> used{0};
  std::atomic<std::uint64_t> next_inode{1};
};

class TmpfsNode final : public Node {
 public:
  /// A new, empty file system; its root directory.
  static Result<Ref<TmpfsNode>> create_root(std::uint64_t size_limit, std::uint32_t mode,
                                            std::uint64_t inode_limit = 0);
  /// For mount options, before anybody sees it.
  void set_root_owner(std::uint32_t uid, std::uint32_t gid);
  /// A lone /dev/null, to cover a file with.
  static Result<Ref<TmpfsNode>> create_null_device();
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

  // For the kernel itself, at boot; no permission is asked.
  Result<Ref<TmpfsNode>> add_directory(std::string_view name, std::uint32_t mode);
  Result<void> add_device(std::string_view name, std::uint32_t mode, std::uint32_t major,
                          std::uint32_t minor);
  Result<void> add_symlink(std::string_view name, std::string_view target);
  /// Makes what is missing of a path of plain names.
  Result<void> add_directories(std::string_view path, std::uint32_t mode);

 private:
  struct Entry : boost::intrusive::list_base_hook<>, boost::intrusive::set_base_hook<> {
    Text name;
    Ref<TmpfsNode> node;
    std::uint64_t cookie = 0;
    friend bool operator<(const Entry& a, const Entry& b) { return a.name.view() < b.name.view(); }
  };
  struct NameLess {
    bool operator()(std::string_view a, const Entry& b) const { return a < b.name.view(); }
    bool operator()(const Entry& a, std::string_view b) const { return a.name.view() < b; }
  };
  /// Where a path leads: `entry` is null if the last name is missing or the path is empty.
  struct Place {
    TmpfsNode* directory = nullptr;  // null: the path is empty
    std::string_view name;
    Entry* entry = nullptr;
    TmpfsNode* node = nullptr;
  };

  TmpfsNode(Ref<TmpfsInstance> instance, std::uint32_t mode);
  Result<Ref<TmpfsNode>> make_node(std::uint32_t mode) const;
  Result<OpenedNode> open_unnamed(const PathSpec& at, const OpenRequest& request);
  Result<void> add_link(TmpfsNode& to, const PathSpec& to_at);
  Result<void> leave_whiteout(TmpfsNode& directory, std::string_view name);
  Result<Place> find(const PathSpec& at);
  Result<TmpfsNode*> find_existing(const PathSpec& at);
  Entry* lookup(std::string_view name);
  Result<void> insert(std::string_view name, Ref<TmpfsNode> node);
  void drop(Entry& entry);
  Result<void> check_create(const PathSpec& at, Place& place);
  Result<void> check_remove(const Place& place, bool directory) const;
  [[nodiscard]] Result<void> check_sticky(const Place& place) const;
  [[nodiscard]] bool is_or_contains(const TmpfsNode& other) const;
  Result<void> resize(std::uint64_t size);
  Result<void> reserve(std::uint64_t capacity);
  void drop_privileges();
  void touch(bool modified);
  [[nodiscard]] abi::FileAttr filled_attr() const;

  Ref<TmpfsInstance> instance_;
  abi::FileAttr attr_{};
  Text target_;  // of a symlink
  std::byte* data_ = nullptr;
  std::uint64_t capacity_ = 0;
  XattrStore xattrs_;
  bool linkable_ = false;  // made by O_TMPFILE: may get its first name
  bool mapped_ = false;    // its run is mapped shared: it stays where it is
  TmpfsNode* parent_ = nullptr;
  boost::intrusive::set<Entry> by_name_;
  boost::intrusive::list<Entry> by_age_;
  std::uint64_t next_cookie_ = 1;
};

}  // namespace runhl::kernel
