// SPDX-License-Identifier: Apache-2.0
#include "runhl/initrd/tree.h"

#include <linux/limits.h>
#include <sys/stat.h>

#include <algorithm>

#include "runhl/abi/initrd.h"

namespace runhl::initrd {
namespace {

Result<void> check_name(std::string_view path) {
  const std::string_view name = name_of(path);
  const auto refuse = [path](const char* why) {
    return runhl::fail(ErrorCode::InvalidArgument, std::string(path) + ": " + why);
  };
  if (name.empty() || name == "." || name == ".." || path.find('\0') != std::string_view::npos) {
    return refuse("is no name of a file");
  }
  if (name.size() > NAME_MAX || path.size() >= PATH_MAX) {
    return refuse("is too long for an archive (255 bytes a name, 4095 in all)");
  }
  if (path == abi::initrd::kIndexName || path == abi::initrd::kXattrsName ||
      path.starts_with(abi::initrd::kPartPrefix)) {
    return refuse("is a name that the archive itself uses");
  }
  return {};
}

}  // namespace

std::string_view parent_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view{} : path.substr(0, slash);
}

std::string_view name_of(std::string_view path) {
  return path.substr(path.rfind('/') + 1);  // npos + 1 is 0
}

bool ArchiveOrder::operator()(std::string_view a, std::string_view b) const {
  const std::size_t common = std::min(a.size(), b.size());
  for (std::size_t i = 0; i < common; ++i) {
    if (a[i] != b[i]) {
      // A name ends before every longer one: '/' counts less than any byte of a name.
      const auto rank = [](char c) { return c == '/' ? 0 : static_cast<unsigned char>(c) + 1; };
      return rank(a[i]) < rank(b[i]);
    }
  }
  return a.size() < b.size();
}

Tree::Tree() {
  add_inode({.mode = S_IFDIR | 0755});
  named_[0] = true;
}

InodeNumber Tree::add_inode(InodeSpec spec) {
  std::sort(spec.xattrs.begin(), spec.xattrs.end());
  inodes_.push_back(std::move(spec));
  named_.push_back(false);
  return inode_count();
}

Tree::Names::const_iterator Tree::lower_bound(std::string_view path) const {
  if (last_ && ArchiveOrder()((*last_)->first, path)) {
    const auto next = std::next(*last_);
    if (next == names_.end() || !ArchiveOrder()(next->first, path)) {
      return next;
    }
  }
  return names_.lower_bound(path);
}

Result<void> Tree::add_name(std::string_view path, InodeNumber inode) {
  TRY(check_name(path));
  const auto refuse = [path](const char* why) {
    return runhl::fail(ErrorCode::InvalidArgument, std::string(path) + ": " + why);
  };
  const std::string_view parent = parent_of(path);
  const bool beside_the_last = last_ && parent_of((*last_)->first) == parent;
  if (!parent.empty() && !beside_the_last) {
    const auto at = names_.find(parent);
    if (at == names_.end() || !S_ISDIR(this->inode(at->second).mode)) {
      return refuse("its parent is no directory of the tree");
    }
  }
  if (S_ISDIR(this->inode(inode).mode) && named_[inode - 1]) {
    return refuse("is a second name of a directory");
  }
  const auto at = lower_bound(path);
  if (at != names_.end() && at->first == path) {
    return refuse("is in the tree twice");
  }
  last_ = names_.emplace_hint(at, path, inode);
  named_[inode - 1] = true;
  return {};
}

InodeNumber Tree::find(std::string_view path) const {
  if (path.empty()) {
    return 1;
  }
  const auto at = lower_bound(path);
  return at == names_.end() || at->first != path ? 0 : at->second;
}

void Tree::replace_inode(std::string_view path, InodeNumber inode) {
  const auto at = names_.find(path);
  RUNHL_CHECK(at != names_.end() &&
              S_ISDIR(this->inode(at->second).mode) == S_ISDIR(this->inode(inode).mode));
  at->second = inode;
  named_[inode - 1] = true;
}

void Tree::remove(std::string_view path,
                  const std::function<bool(std::string_view path, InodeNumber inode)>& drop) {
  const auto is_below = [](std::string_view name, std::string_view above) {
    return above.empty() ||
           (name.size() > above.size() && name.starts_with(above) && name[above.size()] == '/');
  };
  // The order of the archive keeps what is below a name right behind it; from the end, so that a
  // directory comes after what is in it.
  const auto begin = path.empty() ? names_.begin() : names_.find(path);
  auto end = begin;
  while (end != names_.end() && (end->first == path || is_below(end->first, path))) {
    ++end;
  }
  while (end != begin) {
    const auto at = std::prev(end);
    const bool holds_something = end != names_.end() && is_below(end->first, at->first);
    if (!holds_something && drop(at->first, at->second)) {
      const bool first = at == begin;
      last_.reset();
      end = names_.erase(at);
      if (first) {
        return;
      }
    } else {
      end = at;
    }
  }
}

}  // namespace runhl::initrd
