// SPDX-License-Identifier: Apache-2.0
// Files of the granted trees: every operation is one request to the monitor, on a handle there and
// a path beneath it. Nothing is cached, so what the host changes is seen at once.
#pragma once

#include "fs/node.h"

namespace runhl::kernel {

class HostRequest;
class InjectedFiles;

class HostNode final : public Node {
 public:
  /// `owned`: the handle is closed with the node (roots of trees are not).
  HostNode(abi::Handle handle, bool owned, InjectedFiles* injected)
      : handle_(handle), owned_(owned), injected_(injected) {}
  ~HostNode() override;

  [[nodiscard]] abi::Handle handle() const { return handle_; }

  Result<abi::FileAttr> attributes() override;
  Result<std::size_t> read_at(IoBuffer& buffer, std::uint64_t offset) override;
  Result<std::size_t> write_at(IoBuffer& buffer, std::uint64_t offset, std::uint64_t& end) override;
  Result<EndOfDirectory> read_directory(std::uint64_t& cookie, DirSink& sink) override;
  Result<void> truncate(std::uint64_t size) override;
  Result<void> sync(bool data_only) override;
  Result<void> sync_range(std::uint64_t offset, std::uint64_t length, std::uint32_t flags) override;
  Result<void> sync_filesystem() override;
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
  [[nodiscard]] const void* filesystem() const override { return injected_; }

 private:
  Result<HostRequest> start(abi::HostOp op) const;
  Result<HostRequest> start(abi::HostOp op, const PathSpec& at) const;
  /// With a name as the second path.
  Result<HostRequest> start_xattr(abi::HostOp op, const PathSpec& at, std::string_view name) const;
  Result<void> run_two_paths(abi::HostOp op, const PathSpec& at, Node& to, const PathSpec& to_at,
                             std::uint32_t flags);

  abi::Handle handle_;
  bool owned_;
  InjectedFiles* injected_;
};

}  // namespace runhl::kernel
