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
  Result<void> set_mode(const PathSpec& at, std::uint32_t mode) override;
  Result<void> set_owner(const PathSpec& at, OwnerChange owner) override;
  Result<void> set_times(const PathSpec& at, const std::array<abi::Timestamp, 2>& times) override;
  [[nodiscard]] const void* filesystem() const override { return injected_; }

 private:
  Result<HostRequest> start(abi::HostOp op) const;
  Result<HostRequest> start(abi::HostOp op, const PathSpec& at) const;
  Result<void> run_two_paths(abi::HostOp op, const PathSpec& at, Node& to, const PathSpec& to_at,
                             std::uint32_t flags);

  abi::Handle handle_;
  bool owned_;
  InjectedFiles* injected_;
};

}  // namespace runhl::kernel
