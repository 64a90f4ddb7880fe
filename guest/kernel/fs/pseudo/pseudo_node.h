// SPDX-License-Identifier: Apache-2.0
// The base of file systems whose files are made up when somebody looks: proc, sysfs, devpts. It
// walks paths; a kind of node says what one name is.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "fs/node.h"

namespace runhl::kernel {

/// One file system, shared by all its nodes and mounts.
struct PseudoFileSystem {
  std::string_view type;
  std::uint64_t magic = 0;   // statfs: linux/magic.h
  std::uint32_t device = 0;  // st_dev
  int create_error = 0;      // of a name that does not exist
};

class PseudoNode : public Node {
 public:
  explicit PseudoNode(const PseudoFileSystem& system) : system_(system) {}

  // What a kind of node says. The defaults are those of a plain file.
  /// Type, permissions, owner, number; the base fills in the rest.
  virtual abi::FileAttr describe() = 0;
  virtual Result<Ref<PseudoNode>> child(std::string_view name);
  /// Symbolic links: the text.
  virtual Result<std::size_t> link_text(std::span<char> text);
  /// Magic links: fills in jump_*, target and length of `stop`. False: an ordinary link.
  virtual Result<bool> jump(LinkStop& stop);
  /// EACCES, EPERM unless the caller may do this.
  virtual Result<void> permit(std::uint32_t access);

  Result<abi::FileAttr> attributes() override;
  Result<abi::StatFsReply> statfs() override;
  Result<void> truncate(std::uint64_t size) override;
  Result<abi::FileAttr> walk(const PathSpec& at) override;
  Result<OpenedNode> open(const PathSpec& at, const OpenRequest& request) override;
  Result<std::size_t> read_link(const PathSpec& at, std::span<char> target) override;
  Result<void> make_directory(const PathSpec& at, std::uint32_t mode) override;
  Result<void> make_symlink(const PathSpec& at, std::string_view target) override;
  Result<void> remove(const PathSpec& at, bool directory) override;
  // Refused, but not to what a link leads to.
  Result<void> set_mode(const PathSpec& at, std::uint32_t mode) override;
  Result<void> set_owner(const PathSpec& at, OwnerChange owner) override;
  Result<void> set_times(const PathSpec& at, const std::array<abi::Timestamp, 2>& times) override;
  Result<std::size_t> get_xattr(const PathSpec& at, std::string_view name,
                                std::span<std::byte> out) override;
  Result<void> set_xattr(const PathSpec& at, std::string_view name,
                         const XattrValue& value) override;
  Result<std::size_t> list_xattrs(const PathSpec& at, std::span<std::byte> out) override;
  Result<void> remove_xattr(const PathSpec& at, std::string_view name) override;
  [[nodiscard]] const void* filesystem() const override { return &system_; }

 protected:
  [[nodiscard]] const PseudoFileSystem& system() const { return system_; }
  /// The node at a path. ENOENT, ENOTDIR, EACCES; ELOOP at a link, with `at.stop` filled in.
  Result<Ref<PseudoNode>> find(const PathSpec& at);

 private:
  Result<void> stop_at_link(PseudoNode& link, const PathSpec& at, std::size_t begin,
                            std::size_t end);
  Result<void> refuse_creation(const PathSpec& at);

  const PseudoFileSystem& system_;
};

}  // namespace runhl::kernel
