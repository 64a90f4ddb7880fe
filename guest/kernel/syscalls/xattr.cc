// SPDX-License-Identifier: Apache-2.0
// Extended attributes: what a file system without them answers. (ENOSYS would make tools complain.)
#include "syscalls/handlers.h"

namespace runhl::kernel {

SyscallResult sys_xattr(const SyscallArgs&) {
  return fail(EOPNOTSUPP);
}

SyscallResult sys_listxattr(const SyscallArgs&) {
  return 0;  // no names
}

}  // namespace runhl::kernel
