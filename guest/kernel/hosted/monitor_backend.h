// SPDX-License-Identifier: Apache-2.0
// The monitor's real file service behind the hosted HostRequest: guest and monitor meet in one
// process, over directories of the test.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "hosted/task_hosted.h"

namespace runhl::kernel::hosted {

struct Tree {
  std::string parent, name;
  bool directory = true;
};
std::unique_ptr<Backend> make_monitor_backend(const std::vector<Tree>& trees);

}  // namespace runhl::kernel::hosted
