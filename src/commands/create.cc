// SPDX-License-Identifier: Apache-2.0
#include "commands.h"
#include "commands/create_options.h"
#include "commands/upstream_container.h"
#include "options.h"

namespace runhl::commands_internal {

Result<int> create(const GlobalOptions& globals, Arguments args) {
  shim::CreateRequest request;
  VerbOptions verb;
  Options options("runhl create", "Creates a container; start runs its program.");
  declare_create_options(options, &request, &verb);
  options.positional("container-id", "name of the new container", &request.id, Presence::Required);
  if (!TRY(options.parse(args))) {
    return 0;
  }
  TRY(apply_rootfs_options(verb, &request));
  request.choose = guest_chooser(globals, verb, {.store = globals.store, .pull_missing = false});
  const shim::StateRoot root(TRY(shim::StateRoot::path_for(globals.root)));
  TRY(with_context("create " + request.id, shim::create(root, request, cell_factory())));
  return 0;
}

}  // namespace runhl::commands_internal
