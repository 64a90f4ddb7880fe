// SPDX-License-Identifier: Apache-2.0
// One layer upon another, in memory: what names, links and whiteouts of a layer do to the tree
// below. Names come from outside: a path never leaves the tree, since there is nothing else.
//
//   Merge merge(&tree);
//   merge.begin_layer();
//   TRY(merge.add("etc/passwd", spec));
//   TRY(merge.add("etc/.wh.shadow", {}));      // hides the lower layers' etc/shadow
//
// Source: OCI image-spec 1.1, layer.md. Like the engines, a parent that is a symlink is followed,
// within the tree, and a parent that is missing is made.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "runhl/initrd/tree.h"

namespace runhl::oci {

class Merge {
 public:
  explicit Merge(initrd::Tree* tree) : tree_(tree) {}

  void begin_layer();
  /// The inode that `path` has now; 0 for a whiteout. Errors: InvalidArgument.
  Result<initrd::InodeNumber> add(std::string_view path, initrd::InodeSpec spec);
  /// `path` becomes another name of what `target` names.
  Result<void> link(std::string_view path, std::string_view target);

 private:
  enum class Missing : std::uint8_t { Make, Refuse };
  Result<std::string> directory(std::vector<std::string> rest, Missing missing);
  Result<std::string> entry_directory(std::string_view path, std::vector<std::string> parents,
                                      std::string_view name);
  Result<std::string> step(const std::string& at, const std::string& name, Missing missing,
                           std::vector<std::string>* rest, int* symlinks);
  Result<void> hide(const std::vector<std::string>& directory, std::string_view name);
  [[nodiscard]] bool is_lower(std::string_view path, initrd::InodeNumber inode) const;
  Result<void> place(const std::string& path, initrd::InodeNumber inode);

  initrd::Tree* tree_;
  initrd::InodeNumber lower_inodes_ = 1;      // what the layers below made has no higher number
  std::set<std::string, std::less<>> links_;  // this layer's names of the lower layers' inodes
  // An archive has the names of a directory together: what the last one's led to, for as long as
  // nothing is removed or replaced.
  struct Known {
    std::string text, directory;
  };
  std::optional<Known> known_;
};

}  // namespace runhl::oci
