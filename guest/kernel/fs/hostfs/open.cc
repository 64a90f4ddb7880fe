// SPDX-License-Identifier: Apache-2.0
// Opening a file of a granted tree, and those that stay open for the next open
// (fs/hostfs/parked_files.h).
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>

#include "fs/hostfs/host_node.h"
#include "fs/hostfs/injected_files.h"
#include "fs/hostfs/read_ahead.h"
#include "fs/hostfs/request.h"
#include "host/events.h"
#include "proc/task.h"

namespace runhl::kernel {
namespace {

/// What Open passes on; the rest is the guest's own (O_APPEND, O_NONBLOCK, O_CLOEXEC, O_NOCTTY).
constexpr std::uint32_t kHostOpenFlags = O_ACCMODE | O_CREAT | O_EXCL | O_TRUNC | O_DIRECTORY |
                                         O_DIRECT | O_DSYNC | O_SYNC | O_NOATIME | O_PATH |
                                         O_TMPFILE;

}  // namespace

using hostfs::call_with_path;
using hostfs::failed_with;

/// An open's answer as far as the cache knows it; what to ask of the host otherwise.
struct HostNode::OpenPlan {
  explicit OpenPlan(const OpenRequest& wanted)
      : creates((wanted.flags & (O_CREAT | (O_TMPFILE & ~O_DIRECTORY))) != 0),
        plain((wanted.flags & kHostOpenFlags) == O_RDONLY),
        read_only((wanted.flags & (O_ACCMODE | O_TRUNC)) == 0 && !creates),
        identity(search_identity(current().credentials)) {}

  bool creates;
  bool plain;  // nothing but reading: one that is parked will do
  bool read_only;
  std::uint64_t identity;
  bool all = false;  // the attributes of every component are wanted
  NameCache::Stamp stamp = 0;
};

/// The open without a trip, or nothing and the rest of the plan.
std::optional<Result<OpenedNode>> HostNode::open_known(const PathSpec& at, OpenPlan& plan) {
  if (cached() == nullptr) {
    return std::nullopt;
  }
  const NameCache::Found found = tree_.cache->find(*inode_, at, plan.identity);
  if (found.answer == NameCache::Answer::Attributes && plan.plain) {
    if (std::optional<OpenedNode> again = open_parked(found.attr, plan.identity)) {
      return *std::move(again);
    }
  }
  if (found.answer == NameCache::Answer::Link) {
    return fail(ELOOP);
  }
  if (found.answer == NameCache::Answer::Missing && !plan.creates) {
    return fail(ENOENT);
  }
  plan.all = found.answer == NameCache::Answer::Unknown && !found.parents_known;
  plan.stamp = tree_.cache->stamp();
  return std::nullopt;
}

/// This node becomes the file that the host has opened.
void HostNode::become(abi::Handle handle, const abi::FileAttr& attr, const OpenRequest& wanted,
                      const OpenPlan& plan) {
  const bool by_name_only = (wanted.flags & O_PATH) != 0;
  may_wait_ = may_wait_ || attr.may_wait != 0;
  file_.handle = handle;
  // Closing what may wait may wait too: never on the way of another one's request.
  close_ = (plan.read_only || by_name_only) && !may_wait_ ? Close::Later : Close::AtOnce;
  // A page of what may wait would be waited for in the middle of a copy, and by the whole vCPU.
  file_.may_window = S_ISREG(attr.mode) && !by_name_only && (wanted.flags & O_DIRECT) == 0 &&
                     (wanted.flags & O_ACCMODE) != O_WRONLY && !may_wait_ &&
                     (monitor_page().flags & abi::kHasInjection) != 0;
  if (tree_.cache != nullptr) {
    inode_ = tree_.cache->learn(attr);
  }
}

/// The injection slot that went with the open: the file's from now on, or free again.
void HostNode::settle_slot(int slot, const abi::FileAttr& attr) {
  if (slot < 0) {
    return;
  }
  if (S_ISREG(attr.mode) && !may_wait_) {
    file_.injected = true;
    tree_.injected->adopt(slot, handle());
  } else {
    tree_.injected->give_back(slot);
  }
}

Result<OpenedNode> HostNode::open(const PathSpec& at, const OpenRequest& wanted) {
  OpenPlan plan(wanted);
  if (std::optional<Result<OpenedNode>> known = open_known(at, plan)) {
    return *std::move(known);
  }
  auto* node = new (std::nothrow) HostNode(-1, Close::Never, tree_);
  if (node == nullptr) {
    return fail(ENOMEM);
  }
  OpenedNode opened{.node = Ref<Node>(node), .attr = {}};
  HostRequest request = TRY(start(abi::HostOp::Open, at));
  abi::RequestSlot& slot = request.slot();
  slot.flags |= (wanted.flags & kHostOpenFlags) | (plan.all ? abi::kAllAttributes : 0);
  const bool reads_on = plan.read_only && ahead() != nullptr && !wanted.inject &&
                        (wanted.flags & (O_PATH | O_DIRECTORY | O_DIRECT)) == 0;
  slot.flags |= reads_on && ahead()->wanted() ? abi::kReadAhead : 0;
  slot.mode = wanted.mode;
  slot.slot = wanted.inject && !may_wait_ ? tree_.injected->reserve() : -1;
  const int reserved = slot.slot;
  const Result<std::int64_t> handle = call_with_path(request, at);
  if (inode_ != nullptr) {
    learn_open(plan.stamp, at, wanted, request, handle, plan.all);
  }
  opened.attr = slot.reply.attr;
  if (!handle) {
    if (reserved >= 0) {
      tree_.injected->give_back(reserved);
    }
    if (to_int(handle.error()) != ENXIO || opened.attr.mode == 0) {
      return tl::unexpected(handle.error());
    }
    opened.node = {};
    return opened;
  }
  node->may_wait_ = may_wait_;
  node->become(static_cast<abi::Handle>(*handle), opened.attr, wanted, plan);
  node->settle_slot(reserved, opened.attr);
  if (reads_on && S_ISREG(opened.attr.mode)) {
    node->keep_contents(std::move(request));
  }
  if (plan.plain && S_ISREG(opened.attr.mode) && !node->may_wait_) {
    node->remember_opening(opened.attr, plan.identity);
  } else if (tree_.parked != nullptr && !plan.read_only) {
    take_out_parked(&opened.attr);
  }
  return opened;
}

// ---- parked files ------------------------------------------------------------------------------

void HostNode::remember_opening(const abi::FileAttr& attr, std::uint64_t identity) {
  may_park_ = tree_.parked != nullptr && inode_ != nullptr;
  opened_attr_ = attr;
  opened_as_ = identity;
}

/// A file that is open already.
std::optional<OpenedNode> HostNode::open_parked(const abi::FileAttr& attr, std::uint64_t identity) {
  if (tree_.parked == nullptr || !S_ISREG(attr.mode)) {
    return std::nullopt;
  }
  const std::optional<HostFile> file = tree_.parked->take(attr, identity);
  if (!file) {
    return std::nullopt;
  }
  auto* const node = new (std::nothrow) HostNode(file->handle, Close::Later, tree_);
  if (node == nullptr) {
    close(*file, Close::Later);
    return std::nullopt;
  }
  node->file_ = *file;
  node->inode_ = tree_.cache->known(attr);
  node->remember_opening(attr, identity);
  return OpenedNode{.node = Ref<Node>(node), .attr = attr};
}

/// For the next open, if the file still has its name.
bool HostNode::park() {
  if (!may_park_ || shared_ || !tree_.cache->has_name(*inode_)) {
    return false;
  }
  if (const auto other = tree_.parked->park(file_, opened_attr_, opened_as_)) {
    close(*other, Close::Later);
  }
  return true;
}

void HostNode::take_out_parked(const abi::FileAttr* of) const {
  while (const std::optional<HostFile> file = tree_.parked->take_out(of)) {
    close(*file, Close::Later);
  }
}

void HostNode::forget_parked(const PathSpec& at) {
  if (tree_.parked == nullptr || cached() == nullptr) {
    return;
  }
  PathSpec itself = at;
  itself.follow = false;
  const auto found = tree_.cache->find(*inode_, itself, search_identity(current().credentials));
  if (found.answer != NameCache::Answer::Missing) {
    const bool known = found.answer == NameCache::Answer::Attributes;
    take_out_parked(known ? &found.attr : nullptr);
  }
}

/// Of the file that `request` has just opened.
void HostNode::keep_contents(HostRequest request) {
  const abi::RequestReply& reply = request.slot().reply;
  if ((request.slot().flags & abi::kReadAhead) == 0) {
    ahead()->opened(*this);
    return;
  }
  const std::size_t length = std::min<std::size_t>(reply.length, abi::kMaxReadAhead);
  const bool whole = reply.link_end != 0;
  ahead()->keep(*this, std::move(request), length, whole);
}

void HostNode::learn_open(NameCache::Stamp stamp, const PathSpec& at, const OpenRequest& wanted,
                          const HostRequest& request, const Result<std::int64_t>& handle,
                          bool all) {
  const bool unnamed = (wanted.flags & O_TMPFILE) == O_TMPFILE;
  if (handle && (wanted.flags & O_CREAT) != 0) {
    tree_.cache->created(*inode_, at.path, &request.slot().reply.attr);
  } else if (handle && (wanted.flags & O_TRUNC) != 0) {
    tree_.cache->changed_at(*inode_, at.path, &request.slot().reply.attr);
  } else if (!unnamed && !(failed_with(handle, ENOENT) && (wanted.flags & O_CREAT) != 0)) {
    learn(stamp, at, request, handle, all);
  }
}

}  // namespace runhl::kernel
