// SPDX-License-Identifier: Apache-2.0
#include "commands.h"
#include "options.h"
#include "runhl/shim/lifecycle.h"
#include "signal_number.h"

namespace runhl::commands_internal {

Result<int> kill(const GlobalOptions& globals, Arguments args) {
  std::string id;
  std::string signal = "SIGTERM";
  bool all = false;
  Options options("runhl kill", "Sends a signal to the container's first process, or to all.");
  options.flag("-a,--all", "every process of the container; one that has ended is no error", &all);
  options.positional("container-id", "name of the container", &id, Presence::Required);
  options.positional("signal", "number or name (default SIGTERM)", &signal, Presence::Optional);
  if (!TRY(options.parse(args))) {
    return 0;
  }
  const int number = TRY(parse_signal(signal));
  const auto scope = all ? shim::SignalScope::All : shim::SignalScope::Init;
  const shim::StateRoot root(TRY(shim::StateRoot::path_for(globals.root)));
  TRY(shim::kill(root, id, number, scope));
  return 0;
}

}  // namespace runhl::commands_internal
