// SPDX-License-Identifier: Apache-2.0
#include "commands.h"
#include "options.h"
#include "runhl/shim/lifecycle.h"

namespace runhl::commands_internal {

Result<int> start(const GlobalOptions& globals, Arguments args) {
  std::string id;
  Options options("runhl start", "Starts the program of a created container.");
  options.positional("container-id", "name of the container", &id, Presence::Required);
  if (!TRY(options.parse(args))) {
    return 0;
  }
  TRY(shim::start(shim::StateRoot(TRY(shim::StateRoot::path_for(globals.root))), id));
  return 0;
}

}  // namespace runhl::commands_internal
