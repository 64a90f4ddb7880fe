// SPDX-License-Identifier: Apache-2.0
// What an initrd holds: a tree of names over inodes, before it is written. A directory of the host
// fills it (directory.h), or the layers of an image (oci/layers).
//
//   Tree tree;
//   const InodeNumber etc = tree.add_inode({.mode = S_IFDIR | 0755});
//   TRY(tree.add_name("etc", etc));               // parents come first
//   TRY(write_archive(tree, source, out_fd));     // archive.h
#pragma once

#include <compare>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runhl/base/result.h"

namespace runhl::initrd {

using InodeNumber = std::uint32_t;  // from 1; 1 is the root directory

struct Xattr {
  std::string name;
  std::string value;
  friend auto operator<=>(const Xattr&, const Xattr&) = default;
};

struct InodeSpec {
  std::uint32_t mode = 0;  // st_mode
  std::uint32_t uid = 0, gid = 0;
  std::uint64_t size = 0;     // of a regular file
  std::int64_t modified = 0;  // seconds
  std::uint32_t modified_ns = 0;
  std::uint32_t device_major = 0, device_minor = 0;
  // NOLINTBEGIN(readability-redundant-member-init): GCC warns of what a designated list leaves out
  std::string target{};         // of a symlink
  std::vector<Xattr> xattrs{};  // any order
  // NOLINTEND(readability-redundant-member-init)
};

/// The order of the archive: a directory before what is in it, names of one directory by their
/// bytes.
struct ArchiveOrder {
  using is_transparent = void;
  bool operator()(std::string_view a, std::string_view b) const;
};

class Tree {
 public:
  /// A tree with an empty root directory.
  Tree();
  Tree(Tree&&) noexcept = default;
  Tree& operator=(Tree&&) noexcept = default;
  Tree(const Tree&) = delete;
  Tree& operator=(const Tree&) = delete;
  ~Tree() = default;

  InodeNumber add_inode(InodeSpec spec);
  [[nodiscard]] const InodeSpec& inode(InodeNumber number) const { return inodes_[number - 1]; }
  [[nodiscard]] InodeSpec& inode(InodeNumber number) { return inodes_[number - 1]; }
  [[nodiscard]] InodeNumber inode_count() const { return static_cast<InodeNumber>(inodes_.size()); }

  /// `path`: names joined by '/'; its parent is there already. Errors: InvalidArgument (no such
  /// parent, a name twice, a second name of a directory, a name that is reserved or too long).
  Result<void> add_name(std::string_view path, InodeNumber inode);

  /// 0: no such name. "" is the root directory.
  [[nodiscard]] InodeNumber find(std::string_view path) const;
  /// Another inode for a name that is there; of a directory, for a directory.
  void replace_inode(std::string_view path, InodeNumber inode);
  /// Removes those of `path` and all below it for which `drop` holds, except directories in which
  /// something stays.
  void remove(std::string_view path,
              const std::function<bool(std::string_view path, InodeNumber inode)>& drop);

  using Names = std::map<std::string, InodeNumber, ArchiveOrder>;
  /// All names but the root's, sorted.
  [[nodiscard]] const Names& names() const { return names_; }

 private:
  [[nodiscard]] Names::const_iterator lower_bound(std::string_view path) const;

  std::deque<InodeSpec> inodes_;  // no second copy of all of them while it grows
  std::vector<bool> named_;
  Names names_;
  // Names mostly come in order: the next one is looked for behind the last, where the caches are
  // warm, before the search that misses them at every step.
  std::optional<Names::const_iterator> last_;
};

/// "" for a name in the root directory.
std::string_view parent_of(std::string_view path);
std::string_view name_of(std::string_view path);

}  // namespace runhl::initrd
