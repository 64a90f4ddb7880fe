// SPDX-License-Identifier: Apache-2.0
#include "fs/file_node.h"

#include <fcntl.h>
#include <linux/limits.h>
#include <linux/magic.h>
#include <sys/stat.h>

#include "fs/permission.h"
#include "proc/task.h"
#include "runhl/abi/layout.h"

namespace runhl::kernel {

Result<abi::StatFsReply> FileNode::statfs() {
  if (const Ref<Node> node = file_->node()) {
    return node->statfs();
  }
  abi::StatFsReply reply{};
  reply.type = PIPEFS_MAGIC;
  reply.block_size = reply.fragment_size = kPageSize;
  reply.name_length = NAME_MAX;
  return reply;
}

Result<abi::FileAttr> FileNode::walk(const PathSpec& at) {
  return at.path.empty() ? file_->attributes() : fail(ENOTDIR);
}

Result<OpenedNode> FileNode::open(const PathSpec& at, const OpenRequest& request) {
  if (!at.path.empty() || (request.flags & O_DIRECTORY) != 0) {
    return fail(ENOTDIR);
  }
  const abi::FileAttr attr = TRY(file_->attributes());
  if ((request.flags & O_PATH) == 0) {
    std::uint32_t access =
        (request.flags & O_ACCMODE) == O_WRONLY ? 0U : std::uint32_t{kAccessRead};
    access |= (request.flags & O_ACCMODE) != O_RDONLY ? std::uint32_t{kAccessWrite} : 0U;
    TRY(check_access(attr, file_identity(current().credentials), access));
    if (const Ref<Node> node = file_->node(); node != nullptr && (request.flags & O_TRUNC) != 0) {
      TRY(node->truncate(0));
    }
  }
  return OpenedNode{.node = Ref<Node>(this), .attr = attr};
}

Result<std::size_t> FileNode::read_link(const PathSpec& at, std::span<char> /*target*/) {
  return at.path.empty() ? fail(EINVAL) : fail(ENOTDIR);
}

Result<Ref<File>> FileNode::make_file(std::uint32_t flags, Mount& /*mount*/) {
  return file_->reopen(flags);
}

}  // namespace runhl::kernel
