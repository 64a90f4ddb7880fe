// SPDX-License-Identifier: Apache-2.0
#include "commands.h"
#include "options.h"
#include "runhl/shim/lifecycle.h"

namespace runhl::commands_internal {

Result<int> resume(const GlobalOptions& globals, Arguments args) {
  std::string id;
  Options options("runhl resume", "Lets the programs of a paused container go on.");
  options.positional("container-id", "name of the container", &id, Presence::Required);
  if (!TRY(options.parse(args))) {
    return 0;
  }
  TRY(shim::resume(shim::StateRoot(TRY(shim::StateRoot::path_for(globals.root))), id));
  return 0;
}

}  // namespace runhl::commands_internal
