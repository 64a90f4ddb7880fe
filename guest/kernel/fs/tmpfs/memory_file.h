// SPDX-License-Identifier: Apache-2.0
// memfd_create(2): a regular file in memory without a name, and seals on what may be done to it.
#pragma once

#include <atomic>

#include "fs/file.h"
#include "fs/node.h"

namespace runhl::kernel {

/// A file of a tmpfs of its own, behind the seals.
class MemoryFileNode final : public Node {
 public:
  static Result<Ref<MemoryFileNode>> create(std::uint32_t mode, std::uint32_t seals);
  MemoryFileNode(Ref<Node> file, std::uint32_t seals) : file_(std::move(file)), seals_(seals) {}

  Result<abi::FileAttr> attributes() override;
  Result<std::size_t> read_at(IoBuffer& buffer, std::uint64_t offset) override;
  Result<std::size_t> write_at(IoBuffer& buffer, std::uint64_t offset, std::uint64_t& end) override;
  Result<void> truncate(std::uint64_t size) override;
  Result<void> allocate(std::uint32_t mode, std::uint64_t offset, std::uint64_t length) override;
  Result<std::uint64_t> seek(std::uint64_t offset, int whence) override;
  Result<abi::StatFsReply> statfs() override { return file_->statfs(); }
  Result<aspace::Backing> backing(std::uint64_t offset, std::uint64_t length, MapUse use) override;
  Result<aspace::Backing> backing_at_once(std::uint64_t offset, std::uint64_t length,
                                          MapUse use) override {
    return file_->backing_at_once(offset, length, use);
  }
  std::uint64_t mapped_end() override { return file_->mapped_end(); }
  void mapping_began() override { file_->mapping_began(); }
  void mapping_ended() override { file_->mapping_ended(); }
  Result<abi::FileAttr> walk(const PathSpec& at) override { return file_->walk(at); }
  Result<OpenedNode> open(const PathSpec& at, const OpenRequest& request) override;
  Result<std::size_t> read_link(const PathSpec& at, std::span<char> target) override;
  Result<void> set_mode(const PathSpec& at, std::uint32_t mode) override;
  Result<void> set_owner(const PathSpec& at, OwnerChange owner) override;
  Result<void> set_times(const PathSpec& at, const std::array<abi::Timestamp, 2>& times) override;
  Result<std::size_t> get_xattr(const PathSpec& at, std::string_view name,
                                std::span<std::byte> out) override {
    return file_->get_xattr(at, name, out);
  }
  Result<void> set_xattr(const PathSpec& at, std::string_view name,
                         const XattrValue& value) override {
    return file_->set_xattr(at, name, value);
  }
  Result<std::size_t> list_xattrs(const PathSpec& at, std::span<std::byte> out) override {
    return file_->list_xattrs(at, out);
  }
  Result<void> remove_xattr(const PathSpec& at, std::string_view name) override {
    return file_->remove_xattr(at, name);
  }
  [[nodiscard]] const void* filesystem() const override { return this; }
  std::atomic<std::uint32_t>* seals() override { return &seals_; }

 private:
  [[nodiscard]] bool sealed(std::uint32_t any) const { return (seals_.load() & any) != 0; }
  Result<void> check_growth(std::uint64_t end);
  static std::size_t whole_pages_below(std::uint64_t end, std::uint64_t at, std::size_t wanted);

  Ref<Node> file_;
  std::atomic<std::uint32_t> seals_;
};

/// Open for reading and writing; `name` is for whoever looks into /proc, `mode`: permissions.
Result<Ref<File>> open_memory_file(std::string_view name, std::uint32_t mode, std::uint32_t seals);

/// F_ADD_SEALS. EPERM: sealed against that.
Result<void> add_seals(std::atomic<std::uint32_t>& seals, std::uint32_t more);

}  // namespace runhl::kernel
