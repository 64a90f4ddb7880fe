// SPDX-License-Identifier: Apache-2.0
// The monitor's view of the host: a mount namespace that holds the granted trees and nothing else.
//
//   TRY(enter_user_namespace_if_needed(sys, ids));     // rootless.h; before every other namespace
//   ...                                                // net, uts, ipc; runtime hooks
//   TRY(enter_mount_namespace(sys));
//   ...                                                // createContainer hooks, control groups
//   Jail jail = TRY(build_jail(sys, {.trees = plan.trees, .uid = ceiling.uid, .gid =
//   ceiling.gid})); spec.trees = std::move(jail.trees);
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

struct Jail {
  std::vector<vmm::GrantedTree> trees;  ///< in the order of the requests
};

/// Replaces the root of this process's mount namespace. After it no path of the host resolves;
/// descriptors opened before still work. The working directory is the jail's root.
/// Errors, each beginning with the request's pointer: NotFound (source missing), InvalidArgument
/// (the rootfs is a symlink, or no directory), Unsupported (a kernel file system: proc, sysfs,
/// cgroup, ...), Permission (names the call that the host forbids).
Result<Jail> build_jail(Sys& sys, const JailSpec& spec);

}  // namespace runhl::shim
