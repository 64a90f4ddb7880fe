// SPDX-License-Identifier: Apache-2.0
// Tests that change what a process may see and do run in a forked child, which fails loudly.
//
//   in_forked_root([] { expect_in_fork(::unshare(CLONE_NEWNS) == 0, "unshare"); });
#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "runhl/base/sys.h"

namespace runhl::shim {

inline void expect_in_fork(bool holds, const std::string& what) {
  if (!holds) {
    (void)std::fprintf(stderr, "in the forked child: does not hold: %s\n", what.c_str());
    ::_exit(1);
  }
}

/// Runs `body` in a child and expects it to return.
template <typename Body>
void in_fork(Body body) {
  (void)std::fflush(nullptr);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    body();
    ::_exit(0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "wait status " << status;
}

/// The same for what needs CAP_SYS_ADMIN; says so where that is not to be had.
template <typename Body>
void in_forked_root(Body body) {
  constexpr unsigned kSysAdmin = 21;
  const auto caps = linux_sys().capabilities();
  if (!caps || (caps->effective >> kSysAdmin & 1) == 0) {
    GTEST_SKIP() << "needs CAP_SYS_ADMIN";
  }
  in_fork(body);
}

}  // namespace runhl::shim
