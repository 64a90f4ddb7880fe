// SPDX-License-Identifier: Apache-2.0
// fork(2) with a pidfd, into namespaces and a control group.
#pragma once

#include <linux/sched.h>

#include <cerrno>
#include <cstdint>

#include "cell/raw_call.h"

namespace runhl::vmm {

struct CloneResult {
  long pid = 0;  ///< 0: the child, < 0: -errno
  int pidfd = -1;
};

/// No signal at the child's death: who reaps has the pidfd, and asks with __WALL.
/// @param cgroup of version 2: where the child is born; -1: with its parent
inline CloneResult clone_process(std::uint64_t flags, int cgroup) {
  CloneResult result;
  clone_args args{};
  args.flags = flags | CLONE_PIDFD;
  args.pidfd = reinterpret_cast<__u64>(&result.pidfd);
  if (cgroup >= 0) {
    args.flags |= CLONE_INTO_CGROUP;
    args.cgroup = static_cast<__u64>(cgroup);
  }
  result.pid = cell::raw_call(SYS_clone3, &args, sizeof(args));
  // Engines' filters answer ENOSYS, for the older call's sake, whose flags they can read.
  if (result.pid == -ENOSYS && cgroup < 0) {
    result.pid = cell::raw_call(SYS_clone, flags | CLONE_PIDFD, nullptr, &result.pidfd, nullptr, 0);
  }
  return result;
}

}  // namespace runhl::vmm
