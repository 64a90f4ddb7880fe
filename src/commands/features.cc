// SPDX-License-Identifier: Apache-2.0
#include "commands.h"
#include "options.h"
#include "output.h"
#include "runhl/oci/spec.h"

namespace runhl::commands_internal {

Result<int> features(const GlobalOptions&, Arguments args) {
  Options options("runhl features", "Prints what this runtime supports, as JSON.");
  if (!TRY(options.parse(args))) {
    return 0;
  }
  TRY(print(oci::features_json() + "\n"));
  return 0;
}

}  // namespace runhl::commands_internal
