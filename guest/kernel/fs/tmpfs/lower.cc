// SPDX-License-Identifier: Apache-2.0
// An in-memory file system over the tree of an initrd. Lower inodes become nodes when they are
// opened or changed; looking at them does not.
#include <sys/stat.h>

#include <new>

#include "fs/tmpfs/tmpfs.h"

namespace runhl::kernel {
namespace {

/// Nodes that could be made again are kept up to here, for those that are opened often.
constexpr std::size_t kKeptNodes = 256;
constexpr unsigned kLooksAtOnce = 8;

}  // namespace

TmpfsNode* TmpfsInstance::find(std::uint32_t lower_inode) {
  const auto at = nodes_.find(lower_inode, NumberLess{});
  return at == nodes_.end() ? nullptr : static_cast<TmpfsNode*>(&*at);
}

void TmpfsInstance::remember(TmpfsNode& node) {
  nodes_.insert(node);
  by_use_.push_back(node);
  intrusive_ptr_add_ref(static_cast<Node*>(&node));
  trim();
}

/// No name leads to it any more.
void TmpfsInstance::forget(TmpfsNode& node) {
  if (node.lower_ == 0 || find(node.lower_) != &node) {
    return;
  }
  nodes_.erase(nodes_.iterator_to(node));
  by_use_.erase(by_use_.iterator_to(node));
  intrusive_ptr_release(static_cast<Node*>(&node));
}

void TmpfsInstance::trim() {
  for (unsigned looks = 0; looks < kLooksAtOnce && nodes_.size() > kKeptNodes; ++looks) {
    auto& oldest = static_cast<TmpfsNode&>(by_use_.front());
    // References are taken from this table under the lock: with its own the only one, it is free.
    if (!oldest.changed_ && oldest.use_count() == 1) {
      forget(oldest);
    } else {
      by_use_.splice(by_use_.end(), by_use_, by_use_.begin());
    }
  }
}

void TmpfsInstance::forget_all() {
  while (!by_use_.empty()) {
    forget(static_cast<TmpfsNode&>(by_use_.front()));
  }
}

Result<Ref<TmpfsNode>> TmpfsNode::create_initrd_root(const InitrdArchive& archive,
                                                     std::uint64_t size_limit) {
  const Ref<TmpfsNode> host = TRY(create_root(size_limit, 0755));  // for its instance
  TmpfsInstance& instance = *host->instance_;
  instance.lower.reset(new (std::nothrow) InitrdArchive(archive));
  if (instance.lower == nullptr) {
    return fail(ENOMEM);
  }
  instance.next_inode.store(std::uint64_t{archive.inode_count()} + 1, std::memory_order_relaxed);
  Ref<TmpfsNode> root = TRY(host->node_of({.lower = kInitrdRoot}));
  if (!S_ISDIR(root->attr_.mode)) {
    instance.forget_all();  // it and its instance hold each other
    return fail(EIO);
  }
  root->changed_ = true;  // it stays for as long as the mount
  return root;
}

TmpfsNode::Object TmpfsNode::object(std::uint32_t lower) const {
  if (lower == 0) {
    return {};
  }
  TmpfsNode* const node = instance_->find(lower);
  return node != nullptr ? Object{.node = node} : Object{.lower = lower};
}

Result<Ref<TmpfsNode>> TmpfsNode::node_of(const Object& found) const {
  const Object known = found.node != nullptr ? found : object(found.lower);
  if (known.node != nullptr) {
    return Ref<TmpfsNode>(known.node);
  }
  const LowerInode lower = TRY(instance_->lower->inode(found.lower));
  Ref<TmpfsNode> node = TRY(make_own(instance_, lower.attr.mode));
  const std::uint64_t device = node->attr_.device;
  node->attr_ = lower.attr;
  node->attr_.device = device;
  node->lower_ = found.lower;
  TRY(node->take_lower_xattrs(lower.xattrs));
  node->lower_names_ = lower.name_count;
  node->next_cookie_ = std::uint64_t{lower.name_count} + 1;  // behind the lower names'
  node->target_ = TRY(Text::copy(lower.target));
  if (S_ISREG(lower.attr.mode)) {
    node->pages_.begin_as(lower.bytes);
  }
  instance_->remember(*node);
  return node;
}

/// Copies a set of the archive, but for access control lists: the guest has none.
Result<void> TmpfsNode::take_lower_xattrs(std::uint32_t set) {
  std::uint32_t position = 0;
  while (set != 0) {
    const InitrdArchive::Xattr xattr = TRY(instance_->lower->next_xattr(set, position));
    if (xattr.name.empty()) {
      break;
    }
    if (!xattr.name.starts_with("system.")) {
      const auto value = std::as_bytes(std::span<const char>(xattr.value));
      TRY(xattrs_.set(xattr.name, {.bytes = value, .flags = 0}));
    }
  }
  return {};
}

Result<abi::FileAttr> TmpfsNode::raw_attr(const Object& found) const {
  if (found.node != nullptr) {
    return found.node->filled_attr();
  }
  abi::FileAttr attr = TRY(instance_->lower->inode(found.lower)).attr;
  attr.device = instance_->device;
  return attr;
}

Result<std::string_view> TmpfsNode::link_target(const Object& found) const {
  if (found.node != nullptr) {
    return S_ISLNK(found.node->attr_.mode) ? Result<std::string_view>(found.node->target_.view())
                                           : fail(EINVAL);
  }
  const LowerInode lower = TRY(instance_->lower->inode(found.lower));
  return S_ISLNK(lower.attr.mode) ? Result<std::string_view>(lower.target) : fail(EINVAL);
}

/// The lower names that nothing hides; their cookies are their places in the archive, from 1.
Result<EndOfDirectory> TmpfsNode::read_lower_names(std::uint64_t& cookie, DirSink& sink) {
  if (cookie >= lower_names_) {
    return EndOfDirectory::Yes;
  }
  const LowerInode lower = TRY(instance_->lower->inode(lower_));
  while (cookie < lower_names_) {
    const LowerName name = TRY(instance_->lower->name(lower, static_cast<std::uint32_t>(cookie)));
    if (lookup(name.text) == nullptr && !sink.add(name.text, name.inode, cookie + 1, name.type)) {
      return EndOfDirectory::No;
    }
    ++cookie;
  }
  return EndOfDirectory::Yes;
}

}  // namespace runhl::kernel
