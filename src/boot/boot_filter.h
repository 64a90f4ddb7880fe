// SPDX-License-Identifier: Apache-2.0
// Which host calls runhl-boot may make once its guest runs: boot_filter.cc has one reason a rule.
#pragma once

#include <linux/filter.h>
#include <sys/types.h>

#include <vector>

namespace runhl::boot {

/// What the guest was granted beyond its console and its clocks.
struct GrantedCalls {
  bool files = false;
  bool network = false;
};

/// For a process whose pid is `self`.
std::vector<sock_filter> boot_filter(const GrantedCalls& granted, pid_t self);

}  // namespace runhl::boot
