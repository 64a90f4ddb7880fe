// SPDX-License-Identifier: Apache-2.0
// Whether several CPUs may run kernel code at a time. What is locked for other CPUs' sake alone is
// plain while they do not: a locked instruction costs as much as twenty others.
#pragma once

namespace runhl::kernel {

// Written once, while there is one CPU yet.
// NOLINTNEXTLINE(bugprone-dynamic-static-initializers): its definition is a constant's
extern constinit bool g_parallel;

inline bool parallel() {
  return g_parallel;
}

}  // namespace runhl::kernel
