// SPDX-License-Identifier: Apache-2.0
// The verbs about images: another program's (src/image), which this one becomes.
#include "commands.h"
#include "image_helper.h"

namespace runhl::commands_internal {

Result<int> forward(const char* verb, Arguments args) {
  std::vector<std::string> all{verb};
  all.insert(all.end(), args.begin(), args.end());
  return tl::unexpected(exec_image_helper(std::move(all)));
}

}  // namespace runhl::commands_internal
