// SPDX-License-Identifier: Apache-2.0
// What the launcher has to know of the host at every start; the full check is check_host().
#pragma once

namespace runhl::vmm::cell {

struct StartFeatures {
  bool fsgsbase = false;
  bool wait_killable = false;
  int landlock_abi = 0;
};

/// Three calls without effect, about a microsecond.
StartFeatures start_features();

}  // namespace runhl::vmm::cell
