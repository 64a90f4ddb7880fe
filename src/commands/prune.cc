// SPDX-License-Identifier: Apache-2.0
#include "commands.h"
#include "image_helper.h"

namespace runhl::commands_internal {

Result<int> prune(const GlobalOptions& /*globals*/, Arguments args) {
  std::vector<std::string> all{"prune"};
  all.insert(all.end(), args.begin(), args.end());
  return tl::unexpected(exec_image_helper(std::move(all)));
}

}  // namespace runhl::commands_internal
