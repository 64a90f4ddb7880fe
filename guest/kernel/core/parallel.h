// SPDX-License-Identifier: Apache-2.0
// Whether several CPUs may run kernel code at a time. What is locked for other CPUs' sake alone is
// plain while they do not: a locked instruction costs as much as twenty others.
#pragma once

namespace runhl::kernel {

extern constinit bool g_parallel;  // written once, while there is one CPU yet

inline bool parallel() {
  return g_parallel;
}

}  // namespace runhl::kernel
