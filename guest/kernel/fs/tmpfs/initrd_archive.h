// SPDX-License-Identifier: Apache-2.0
// The archive that the container's root file system begins as, read in place by its index
// (abi/initrd.h): a look-up is a few reads of memory. Nothing in it is trusted: every number is
// checked where it is used, and what contradicts itself is EIO.
//
//   InitrdArchive archive = TRY(InitrdArchive::open(bytes));
//   const std::uint32_t etc = TRY(archive.lookup(kInitrdRoot, "etc"));     // 0: no such name
//   const LowerInode inode = TRY(archive.inode(etc));
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "core/result.h"
#include "fs/tmpfs/lower_bytes.h"
#include "runhl/abi/initrd.h"
#include "runhl/abi/ring.h"

namespace runhl::kernel {

inline constexpr std::uint32_t kInitrdRoot = 1;

struct LowerInode {
  abi::FileAttr attr;                            // inode, no device
  std::uint32_t parent = 0;                      // of a directory; the root's is itself
  std::uint32_t xattrs = 0;                      // 0: none
  LowerBytes bytes;                              // of a regular file
  std::string_view target;                       // of a symlink
  std::uint32_t first_name = 0, name_count = 0;  // of a directory
};

struct LowerName {
  std::string_view text;
  std::uint32_t inode;
  std::uint8_t type;  // DT_*
};

class InitrdArchive {
 public:
  /// EIO: not an archive of this version, or cut off. `bytes` outlive it.
  static Result<InitrdArchive> open(std::span<const std::byte> bytes);

  [[nodiscard]] std::uint32_t inode_count() const { return tail_.inode_count; }
  [[nodiscard]] Result<LowerInode> inode(std::uint32_t number) const;
  /// The inode of a name in a directory; 0: there is none.
  [[nodiscard]] Result<std::uint32_t> lookup(std::uint32_t directory, std::string_view name) const;
  /// One name of `directory`, whose inode this is; `index` < name_count.
  [[nodiscard]] Result<LowerName> name(const LowerInode& directory, std::uint32_t index) const;

  struct Xattr {
    std::string_view name;
    std::string_view value;
  };
  /// The attribute at `position` in a set (0: the first); moves it to the next. An empty name: no
  /// more.
  Result<Xattr> next_xattr(std::uint32_t set, std::uint32_t& position) const;

 private:
  explicit InitrdArchive(std::span<const std::byte> bytes) : bytes_(bytes) {}
  [[nodiscard]] bool contains(std::uint64_t offset, std::uint64_t length) const {
    return offset <= bytes_.size() && length <= bytes_.size() - offset;
  }
  template <typename T>
  [[nodiscard]] T load(std::uint64_t offset) const;
  [[nodiscard]] std::string_view text(std::uint64_t offset, std::uint64_t length) const;
  [[nodiscard]] Result<LowerName> name_at(std::uint32_t index, std::uint32_t parent) const;
  [[nodiscard]] Result<LowerBytes> file_bytes(const abi::initrd::Inode& inode) const;

  std::span<const std::byte> bytes_;
  abi::initrd::Tail tail_{};
};

}  // namespace runhl::kernel
