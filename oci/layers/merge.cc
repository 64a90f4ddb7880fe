// SPDX-License-Identifier: Apache-2.0
#include "merge.h"

#include <linux/limits.h>
#include <sys/stat.h>

#include <algorithm>

namespace runhl::oci {
namespace {

using initrd::InodeNumber;
using initrd::InodeSpec;

constexpr std::string_view kWhiteout = ".wh.";
constexpr std::string_view kOpaque = ".wh..wh..opq";
constexpr std::string_view kAufs = ".wh..wh.";  // that file system's own, in old images
constexpr int kMaxSymlinks = 40;                // as Linux

tl::unexpected<Error> refuse(std::string_view path, std::string_view why) {
  return fail(ErrorCode::InvalidArgument, std::string(path) + ": " + std::string(why));
}

/// Without "." and empty names.
std::vector<std::string> names_in(std::string_view path) {
  std::vector<std::string> names;
  while (!path.empty()) {
    const std::string_view name = path.substr(0, path.find('/'));
    path.remove_prefix(std::min(path.size(), name.size() + 1));
    if (!name.empty() && name != ".") {
      names.emplace_back(name);
    }
  }
  return names;
}

/// A leading slash is the tree's own root, as for every reader of layers; a ".." is no name.
Result<std::vector<std::string>> entry_names(std::string_view path) {
  std::vector<std::string> names = names_in(path);
  if (std::find(names.begin(), names.end(), "..") != names.end()) {
    return refuse(path, "has a .. in it");
  }
  return names;
}

std::string join(const std::string& directory, std::string_view name) {
  return directory.empty() ? std::string(name) : directory + "/" + std::string(name);
}

}  // namespace

void Merge::begin_layer() {
  lower_inodes_ = tree_->inode_count();
  links_.clear();
}

bool Merge::is_lower(std::string_view path, InodeNumber inode) const {
  return inode <= lower_inodes_ && !links_.contains(path);
}

/// Where `name` in the directory `at` leads; what a symlink adds goes in front of `rest`.
Result<std::string> Merge::step(const std::string& at, const std::string& name, Missing missing,
                                std::vector<std::string>* rest, int* symlinks) {
  std::string path = join(at, name);
  const InodeNumber inode = tree_->find(path);
  if (inode == 0) {
    if (missing == Missing::Refuse) {
      return fail(ErrorCode::NotFound, path + ": is not there");
    }
    TRY(tree_->add_name(path, tree_->add_inode({.mode = S_IFDIR | 0755})));
    return path;
  }
  const InodeSpec& spec = tree_->inode(inode);
  if (S_ISDIR(spec.mode)) {
    return path;
  }
  if (!S_ISLNK(spec.mode)) {
    return refuse(path, "is no directory, and something lies in it");
  }
  if (++*symlinks > kMaxSymlinks) {
    return refuse(path, "too many symlinks");
  }
  const std::vector<std::string> target = names_in(spec.target);
  rest->insert(rest->end(), target.rbegin(), target.rend());
  return spec.target.starts_with('/') ? std::string() : at;
}

/// The path without symlinks of the directory that `names` leads to.
Result<std::string> Merge::directory(std::vector<std::string> names, Missing missing) {
  std::reverse(names.begin(), names.end());  // the next one is at the end
  std::string at;
  int symlinks = 0;
  while (!names.empty()) {
    const std::string name = std::move(names.back());
    names.pop_back();
    if (name == "..") {  // of a symlink; above the root is the root
      at = initrd::parent_of(at);
    } else {
      at = TRY(step(at, name, missing, &names, &symlinks));
    }
  }
  return at;
}

/// Where the entry `path` goes, whose last name is `name`: the directory that its `parents` lead
/// to.
Result<std::string> Merge::entry_directory(std::string_view path, std::vector<std::string> parents,
                                           std::string_view name) {
  const std::string_view text = path.substr(0, path.find_last_not_of('/') + 1);
  const std::size_t last = text.rfind('/') + 1;
  const std::string_view parent = text.substr(0, last);
  if (known_ && known_->text == parent && text.substr(last) == name) {
    return known_->directory;
  }
  std::string at = TRY(with_context(path, directory(std::move(parents), Missing::Make)));
  if (text.substr(last) == name) {  // it is not "name/."
    known_ = {.text = std::string(parent), .directory = at};
  }
  return at;
}

/// What the layers below have as `name` in the directory; no name: all that they have in it.
Result<void> Merge::hide(const std::vector<std::string>& directory, std::string_view name) {
  const Result<std::string> parent = this->directory(directory, Missing::Refuse);
  if (!parent) {
    return parent.error().code == ErrorCode::NotFound ? Result<void>{}  // nothing to hide
                                                      : tl::unexpected(parent.error());
  }
  const std::string path = name.empty() ? *parent : join(*parent, name);
  known_.reset();
  tree_->remove(path, [&](std::string_view at, InodeNumber inode) {
    return (at != path || !name.empty()) && is_lower(at, inode);
  });
  return {};
}

/// Over whatever is there; only a directory upon a directory keeps what is in it.
Result<void> Merge::place(const std::string& path, InodeNumber inode) {
  const InodeNumber old = tree_->find(path);
  if (old != 0 && S_ISDIR(tree_->inode(old).mode) && S_ISDIR(tree_->inode(inode).mode)) {
    tree_->replace_inode(path, inode);
    return {};
  }
  if (old != 0) {
    known_.reset();
    tree_->remove(path, [](std::string_view, InodeNumber) { return true; });
  }
  return tree_->add_name(path, inode);
}

Result<InodeNumber> Merge::add(std::string_view path, InodeSpec spec) {
  std::vector<std::string> names = TRY(entry_names(path));
  if (names.empty()) {
    if (!S_ISDIR(spec.mode)) {
      return refuse(path, "is the root, and no directory");
    }
    std::sort(spec.xattrs.begin(), spec.xattrs.end());
    tree_->inode(1) = std::move(spec);
    return 1;
  }
  const std::string name = std::move(names.back());
  names.pop_back();
  if (name == kOpaque) {
    TRY(hide(names, {}));
    return 0;
  }
  if (name.starts_with(kAufs)) {
    return 0;
  }
  if (name.starts_with(kWhiteout)) {
    const std::string hidden = name.substr(kWhiteout.size());
    if (hidden.empty() || hidden == "." || hidden == "..") {
      return refuse(path, "is a whiteout of no name");
    }
    TRY(hide(names, hidden));
    return 0;
  }
  const std::string parent = TRY(entry_directory(path, std::move(names), name));
  const InodeNumber inode = tree_->add_inode(std::move(spec));
  TRY(place(join(parent, name), inode));
  return inode;
}

Result<void> Merge::link(std::string_view path, std::string_view target) {
  std::vector<std::string> names = TRY(entry_names(path));
  std::vector<std::string> target_names = TRY(entry_names(target));
  if (names.empty() || target_names.empty()) {
    return refuse(path, "is a hard link to or of the root");
  }
  const std::string target_name = std::move(target_names.back());
  target_names.pop_back();
  const std::string from = join(
      TRY(with_context(path, directory(std::move(target_names), Missing::Refuse))), target_name);
  const InodeNumber inode = tree_->find(from);
  if (inode == 0) {
    return refuse(path, "is a hard link to " + from + ", which is not there");
  }
  if (S_ISDIR(tree_->inode(inode).mode)) {
    return refuse(path, "is a hard link to the directory " + from);
  }
  const std::string name = std::move(names.back());
  names.pop_back();
  const std::string to = join(TRY(entry_directory(path, std::move(names), name)), name);
  if (to == from) {
    return {};
  }
  TRY(place(to, inode));
  if (inode <= lower_inodes_) {
    links_.insert(to);
  }
  return {};
}

}  // namespace runhl::oci
