// SPDX-License-Identifier: Apache-2.0
#include "runhl/shim/jail.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <utility>

#include "jail/file_systems.h"

namespace runhl::shim {
namespace {

/// Recursive clones are private like what they are cloned from: the namespace's own mounts are.
Result<UniqueFd> clone_tree(Sys& sys, int source, const TreeRequest& request) {
  constexpr unsigned kFlags = OPEN_TREE_CLONE | AT_EMPTY_PATH;
  if (request.recursive) {
    return sys.open_tree(source, "", kFlags | AT_RECURSIVE);
  }
  auto tree = sys.open_tree(source, "", kFlags);
  if (!tree && tree.error().os_errno == EINVAL) {
    // In a user namespace the host's submounts are locked to their parents: they come along. The
    // file service does not cross into them, since the tree is not a recursive one.
    tree = sys.open_tree(source, "", kFlags | AT_RECURSIVE);
  }
  return tree;
}

Result<void> check_kind(Sys& sys, int fd, const TreeRequest& request, bool is_root,
                        DetachedTree* tree) {
  const std::uint64_t type = TRY(sys.file_system(fd, request.source));
  const char* kernels = kernel_file_system(type);
  if (kernels != nullptr) {
    return fail(ErrorCode::Unsupported,
                request.source + " lies on " + kernels + ", an interface of the host's kernel");
  }
  const FileStat status = TRY(sys.stat(fd, request.source));
  tree->directory = S_ISDIR(status.mode);
  tree->may_wait = vmm::may_wait_behind(type);
  if (S_ISLNK(status.mode)) {
    return fail(ErrorCode::InvalidArgument, request.source + " is a symlink");
  }
  if (is_root && !tree->directory) {
    return fail(ErrorCode::InvalidArgument, request.source + " is not a directory");
  }
  return {};
}

/// runc takes no rootfs through a symlink, and follows one in a volume's source.
Result<UniqueFd> open_source(Sys& sys, const TreeRequest& request, bool is_root) {
  auto fd = sys.open_resolved(AT_FDCWD, request.source, O_PATH, is_root ? RESOLVE_NO_SYMLINKS : 0);
  if (fd) {
    return fd;
  }
  if (is_root && fd.error().os_errno == ELOOP) {
    return fail(ErrorCode::InvalidArgument, request.source + " is, or is reached by, a symlink");
  }
  return fail_errno(request.source, fd.error().os_errno);
}

Result<DetachedTree> detach(Sys& sys, const TreeRequest& request, bool is_root) {
  const UniqueFd source = TRY(open_source(sys, request, is_root));
  DetachedTree tree;
  TRY(check_kind(sys, source.get(), request, is_root, &tree));
  tree.mount = TRY(clone_tree(sys, source.get(), request));
  std::uint64_t attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
  attributes |= request.read_only ? MOUNT_ATTR_RDONLY : 0;
  TRY(sys.set_mount_attributes(tree.mount.get(), "", AT_EMPTY_PATH | AT_RECURSIVE, attributes));
  return tree;
}

Result<UniqueFd> make_root(Sys& sys, const JailSpec& spec) {
  // Search permission for all: the file service looks trees up with its client's fsuid, and nobody
  // else ever has this mount in his namespace.
  const std::array<std::pair<std::string, std::string>, 5> options = {{
      {"mode", "0711"},
      {"uid", std::to_string(spec.uid)},
      {"gid", std::to_string(spec.gid)},
      {"size", "64k"},
      {"nr_inodes", std::to_string(spec.trees.size() + 2)},
  }};
  return with_context(
      "jail",
      sys.new_mount("tmpfs", options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC));
}

Result<void> make_place(Sys& sys, int root, const std::string& name, bool directory) {
  constexpr mode_t kMode = 0700;
  if (directory) {
    return sys.mkdir(root, name, kMode);
  }
  TRY(sys.open(root, name, O_WRONLY | O_CREAT | O_EXCL, kMode));
  return {};
}

Result<void> attach(Sys& sys, int root, const DetachedTree& tree, vmm::GrantedTree* granted) {
  TRY(make_place(sys, root, granted->name, tree.directory));
  TRY(sys.attach_mount(tree.mount.get(), root, granted->name));
  granted->root = TRY(sys.open(root, granted->name, O_PATH | O_NOFOLLOW));
  granted->parent = TRY(sys.open(root, ".", O_PATH | O_DIRECTORY));
  return {};
}

/// The new root is attached over the old one, becomes the root, and the old one, by then beneath
/// ".", is let go: no directory of the host is needed as a mount point.
Result<void> change_root(Sys& sys, int root) {
  TRY(sys.attach_mount(root, AT_FDCWD, "/"));
  TRY(sys.fchdir(root));
  TRY(sys.pivot_root(".", "."));
  TRY(sys.unmount(".", MNT_DETACH));
  return sys.chdir("/");
}

}  // namespace

Result<void> enter_mount_namespace(Sys& sys) {
  TRY(sys.unshare(CLONE_NEWNS, "mount namespace"));
  return with_context("make the mount namespace private",
                      sys.set_propagation("/", MS_REC | MS_PRIVATE));
}

Result<std::vector<DetachedTree>> detach_trees(Sys& sys, const std::vector<TreeRequest>& requests) {
  std::vector<DetachedTree> trees;
  for (const TreeRequest& request : requests) {
    const bool is_root = request.pointer == "/root/path";  // there may be none: an archive
    trees.push_back(TRY(with_context(request.pointer, detach(sys, request, is_root))));
  }
  return trees;
}

std::vector<vmm::GrantedTree> describe_trees(const std::vector<TreeRequest>& requests,
                                             const std::vector<DetachedTree>& trees) {
  std::vector<vmm::GrantedTree> granted(trees.size());
  for (std::size_t i = 0; i < trees.size(); ++i) {
    granted[i].name = std::to_string(i);
    granted[i].directory = trees[i].directory;
    granted[i].read_only = requests[i].read_only;
    granted[i].recursive = requests[i].recursive;
    granted[i].may_wait = trees[i].may_wait;
  }
  return granted;
}

Result<Jail> build_jail(Sys& sys, const JailSpec& spec, std::vector<DetachedTree> trees) {
  const UniqueFd root = TRY(make_root(sys, spec));
  TRY(with_context("jail", change_root(sys, root.get())));
  Jail jail{.trees = describe_trees(spec.trees, trees)};
  for (std::size_t i = 0; i < trees.size(); ++i) {
    TRY(with_context(spec.trees[i].pointer, attach(sys, root.get(), trees[i], &jail.trees[i])));
  }
  TRY(with_context("jail",
                   sys.set_mount_attributes(root.get(), "", AT_EMPTY_PATH, MOUNT_ATTR_RDONLY)));
  return jail;
}

}  // namespace runhl::shim
