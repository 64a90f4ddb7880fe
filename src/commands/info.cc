// SPDX-License-Identifier: Apache-2.0
#include "commands.h"
#include "options.h"
#include "output.h"
#include "runhl/shim/state_dir.h"
#include "runhl/vmm/cell/cell.h"
#include "version.h"

namespace runhl::commands_internal {
namespace {

std::string yes_or(bool there, const char* otherwise) {
  return there ? "yes" : otherwise;
}

std::string describe(const vmm::cell::HostFeatures& host) {
  std::string text = "isolation cell: ";
  text += host.missing.empty() ? "available\n" : "not available\n";
  for (const std::string& feature : host.missing) {
    text += "  missing: " + feature + "\n";
  }
  text += "  user namespaces: " + yes_or(host.user_namespace, "no: cells run as the caller") + "\n";
  text += "  fsgsbase: " + yes_or(host.fsgsbase, "no: by system call") + "\n";
  text += "  wait-killable notifications: " + yes_or(host.wait_killable, "no") + "\n";
  text += "  synchronous notifications: " + yes_or(host.sync_wake_up, "no") + "\n";
  text += "  landlock: ";
  text += host.landlock_abi == 0 ? "no" : "ABI " + std::to_string(host.landlock_abi);
  return text + "\nisolation vm: not in this version\nisolation emulated: not in this version\n";
}

}  // namespace

Result<int> info(const GlobalOptions& globals, Arguments args) {
  Options options("runhl info", "Prints what this program finds on this host, for people.");
  if (!TRY(options.parse(args))) {
    return 0;
  }
  const std::string root = TRY(shim::StateRoot::path_for(globals.root));
  TRY(print(version_text() + "root: " + root + "\n" + describe(vmm::cell::check_host())));
  return 0;
}

}  // namespace runhl::commands_internal
