// SPDX-License-Identifier: Apache-2.0
// The kernel's table of contents: one row a system call, ascending. docs/syscalls.md is printed
// from it. A number without a row answers ENOSYS and is counted.
//
//        nr   name              handler               support  locks  what is missing
#define RUNHL_SYSCALL_TABLE(X)            \
  X(63, uname, sys_uname, Full, Free, "") \
  X(231, exit_group, sys_exit_group, Full, Big, "")
