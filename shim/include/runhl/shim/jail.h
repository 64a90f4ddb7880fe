// SPDX-License-Identifier: Apache-2.0
// The monitor's view of the host: a mount namespace that holds the granted trees and nothing else.
//
//   TRY(enter_user_namespace_if_needed(sys, ids));     // rootless.h; before every other namespace
//   ...                                                // net, uts, ipc; runtime hooks
//   TRY(enter_mount_namespace(sys));
//   ...                                                // createContainer hooks, control groups
//   auto detached = TRY(detach_trees(sys, plan.trees));
//   ...                                                // the ceiling's ids; all capabilities still
//   Jail jail = TRY(build_jail(sys, {.trees = plan.trees, .uid = ceiling.uid, .gid =
//   ceiling.gid}, std::move(detached))); spec.trees = std::move(jail.trees);
//
//   /        tmpfs, read-only from then on, 0711, the ceiling's
//   /0       the rootfs directory                        nosuid,nodev(,ro)
//   /1 … /N  one per bind mount, a directory or a file   nosuid,nodev(,ro); never noexec added
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "runhl/base/result.h"
#include "runhl/base/sys.h"
#include "runhl/base/unique_fd.h"
#include "runhl/vmm/machine.h"

namespace runhl::shim {

/// A host directory or file to grant; its index is its number on the wire. 0 is the rootfs.
struct TreeRequest {
  std::string source;   ///< absolute host path
  std::string pointer;  ///< where config.json asks for it: "/root/path", "/mounts/3/source"
  bool read_only = false;
  bool recursive = false;
};

/// A mount namespace of this process's own, from which nothing propagates in either direction.
/// Errors: Permission ("unshare mount namespace: …").
Result<void> enter_mount_namespace(Sys& sys);

struct JailSpec {
  std::vector<TreeRequest> trees;  ///< the first is the rootfs
  uid_t uid = 0;                   ///< who may look into the jail: the ceiling
  gid_t gid = 0;
};

/// A tree that is cloned out of the host's and attached nowhere yet.
struct DetachedTree {
  UniqueFd mount;
  bool directory = true;
  bool may_wait = false;  ///< a network or a program is behind it
};

/// While the host's paths still mean something. Checks and clone are of one object: whatever the
/// path means a moment later.
/// Errors, each beginning with the request's pointer: NotFound (source missing), InvalidArgument
/// (the rootfs is a symlink, or no directory), Unsupported (a kernel file system: proc, sysfs,
/// cgroup, ...), Permission (names the call that the host forbids).
Result<std::vector<DetachedTree>> detach_trees(Sys& sys, const std::vector<TreeRequest>& requests);

/// What the guest will be told of them; the descriptors are the jail's to give.
std::vector<vmm::GrantedTree> describe_trees(const std::vector<TreeRequest>& requests,
                                             const std::vector<DetachedTree>& trees);

struct Jail {
  std::vector<vmm::GrantedTree> trees;  ///< in the order of the requests
};

/// Replaces the root of this process's mount namespace, for each process that is in it by then.
/// After it no path of the host resolves; descriptors opened before still work. The working
/// directory is the jail's root; another process has to go there itself.
/// @param trees of detach_trees() for spec.trees
/// Errors: Permission (names the call that the host forbids).
Result<Jail> build_jail(Sys& sys, const JailSpec& spec, std::vector<DetachedTree> trees);

}  // namespace runhl::shim
