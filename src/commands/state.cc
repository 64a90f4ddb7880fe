// SPDX-License-Identifier: Apache-2.0
#include "commands.h"
#include "options.h"
#include "output.h"
#include "runhl/shim/lifecycle.h"

namespace runhl::commands_internal {

Result<int> state(const GlobalOptions& globals, Arguments args) {
  std::string id;
  Options options("runhl state", "Prints a container's state as JSON.");
  options.positional("container-id", "name of the container", &id, Presence::Required);
  if (!TRY(options.parse(args))) {
    return 0;
  }
  const shim::StateRoot root(TRY(shim::StateRoot::path_for(globals.root)));
  TRY(print(oci::to_json(shim::to_oci(TRY(shim::view(root, id)))) + "\n"));
  return 0;
}

}  // namespace runhl::commands_internal
