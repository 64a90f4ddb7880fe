// SPDX-License-Identifier: Apache-2.0
#include "commands.h"
#include "options.h"
#include "runhl/shim/lifecycle.h"

namespace runhl::commands_internal {

Result<int> delete_container(const GlobalOptions& globals, Arguments args) {
  std::string id;
  bool force = false;
  Options options("runhl delete", "Deletes what a container holds on the host.");
  options.flag("-f,--force", "kill it first if it runs; one that does not exist is no error",
               &force);
  options.positional("container-id", "name of the container", &id, Presence::Required);
  if (!TRY(options.parse(args))) {
    return 0;
  }
  const shim::StateRoot root(TRY(shim::StateRoot::path_for(globals.root)));
  TRY(shim::delete_container(root, id, force ? shim::Force::Yes : shim::Force::No));
  return 0;
}

}  // namespace runhl::commands_internal
