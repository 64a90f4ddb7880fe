// SPDX-License-Identifier: Apache-2.0
// Upstream kernels: another program's verb (src/boot), which this one becomes.
#include "commands.h"
#include "image_helper.h"

namespace runhl::commands_internal {

Result<int> boot(const GlobalOptions& globals, Arguments args) {
  std::vector<std::string> all{"--isolation=" + globals.isolation};
  if (!globals.root.empty()) {
    all.push_back("--root=" + globals.root);
  }
  all.insert(all.end(), args.begin(), args.end());
  return tl::unexpected(exec_helper("runhl-boot", std::move(all)));
}

}  // namespace runhl::commands_internal
