// SPDX-License-Identifier: Apache-2.0
// Files of the granted trees: an operation is one request to the monitor, on a handle there and a
// path beneath it. Data is never cached. Names and attributes are (fs/hostfs/name_cache.h), unless
// the tree is strict: then what the host changes is seen at once.
#pragma once

#include <optional>

#include "fs/hostfs/name_cache.h"
#include "fs/hostfs/parked_files.h"
#include "fs/node.h"

namespace runhl::kernel {

class HostRequest;
class InjectedFiles;
class ReadAhead;

/// What the nodes of a granted tree share; lives as long as the kernel.
struct HostTree {
  InjectedFiles* injected = nullptr;
  NameCache* cache = nullptr;     // null: strict
  ReadAhead* ahead = nullptr;     // with a cache; else it only hears of shared memory
  ParkedFiles* parked = nullptr;  // with a cache
  bool may_wait = false;          // a network or a program is behind it
};

class HostNode final : public Node {
 public:
  enum class Close : std::uint8_t {
    Never,  // the root of a tree
    Later,  // with one of the next requests
    AtOnce,
  };
  HostNode(abi::Handle handle, Close close, const HostTree& tree)
      : close_(close), may_wait_(tree.may_wait), tree_(tree) {
    file_.handle = handle;
  }
  HostNode(const HostNode&) = delete;
  HostNode& operator=(const HostNode&) = delete;
  ~HostNode() override;

  [[nodiscard]] abi::Handle handle() const { return file_.handle; }

  Result<abi::FileAttr> attributes() override;
  Result<std::size_t> read_at(IoBuffer& buffer, std::uint64_t offset) override;
  Result<std::size_t> write_at(IoBuffer& buffer, std::uint64_t offset, std::uint64_t& end) override;
  Result<EndOfDirectory> read_directory(std::uint64_t& cookie, DirSink& sink) override;
  Result<void> truncate(std::uint64_t size) override;
  Result<void> sync(bool data_only) override;
  Result<void> sync_range(std::uint64_t offset, std::uint64_t length, std::uint32_t flags) override;
  Result<void> sync_filesystem() override;
  Result<void> lock_on_host(const HostLock& lock) override;
  Result<HostLock> test_on_host(const HostLock& lock) override;
  Result<void> allocate(std::uint32_t mode, std::uint64_t offset, std::uint64_t length) override;
  Result<std::uint64_t> seek(std::uint64_t offset, int whence) override;
  Result<std::size_t> copy_range(std::uint64_t offset, Node& to, std::uint64_t to_offset,
                                 std::uint64_t length) override;
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
  [[nodiscard]] bool reopens_by_name() const override { return true; }
  [[nodiscard]] const void* filesystem() const override { return tree_.injected; }

 private:
  Result<HostRequest> start(abi::HostOp op) const;
  Result<HostRequest> start(abi::HostOp op, const PathSpec& at) const;
  /// With a name as the second path.
  Result<HostRequest> start_xattr(abi::HostOp op, const PathSpec& at, std::string_view name) const;
  Result<void> run_two_paths(abi::HostOp op, const PathSpec& at, Node& to, const PathSpec& to_at,
                             std::uint32_t flags);

  /// This node in the cache; null: strict, or out of memory.
  CachedInode* cached();
  void learn(NameCache::Stamp stamp, const PathSpec& at, const HostRequest& request,
             const Result<std::int64_t>& result, bool all);
  bool look_up_together(const PathSpec& at);
  std::optional<Result<std::size_t>> read_known_link(const PathSpec& at, std::span<char> target);
  [[nodiscard]] ReadAhead* ahead() const { return tree_.cache != nullptr ? tree_.ahead : nullptr; }
  std::size_t read_through_windows(IoBuffer& buffer, std::uint64_t offset);
  Result<std::size_t> read_by_request(IoBuffer& buffer, std::uint64_t offset, bool& ended);
  Result<std::size_t> write_by_request(IoBuffer& buffer, std::uint64_t offset, std::uint64_t& end,
                                       bool& ended);
  std::uint64_t sure_size();
  Result<abi::FileAttr> ask_attributes();
  std::optional<Result<std::size_t>> read_what_came(IoBuffer& buffer, std::uint64_t offset);
  struct OpenPlan;
  std::optional<Result<OpenedNode>> open_known(const PathSpec& at, OpenPlan& plan);
  void become(abi::Handle handle, const abi::FileAttr& attr, const OpenRequest& wanted,
              const OpenPlan& plan);
  void settle_slot(int slot, const abi::FileAttr& attr);
  void keep_contents(HostRequest request);
  void close(const HostFile& file, Close how) const;
  void remember_opening(const abi::FileAttr& attr, std::uint64_t identity);
  std::optional<OpenedNode> open_parked(const abi::FileAttr& attr, std::uint64_t identity);
  bool park();
  /// Null: whatever it is of.
  void take_out_parked(const abi::FileAttr* of) const;
  /// What `at` names is about to lose that name.
  void forget_parked(const PathSpec& at);
  void note_end(std::uint64_t end);
  void learn_open(NameCache::Stamp stamp, const PathSpec& at, const OpenRequest& wanted,
                  const HostRequest& request, const Result<std::int64_t>& handle, bool all);
  /// An operation that makes, removes or changes what `at` names.
  enum class Change : std::uint8_t { Make, Remove, Modify };
  Result<void> change(HostRequest& request, const PathSpec& at, Change kind);

  HostFile file_;
  Close close_;
  bool may_wait_;  // the tree's, or what was told of this file
  const HostTree& tree_;
  Ref<CachedInode> inode_;       // set once; null: not known yet
  bool may_park_ = false;        // opened for reading alone, never locked
  std::uint64_t opened_as_ = 0;  // may_park_: the identity that opened it,
  abi::FileAttr opened_attr_{};  // and what it was then
  bool shared_ = false;          // mapped shared and writable, perhaps: ReadAhead has heard of it
};

}  // namespace runhl::kernel
