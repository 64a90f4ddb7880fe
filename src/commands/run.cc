// SPDX-License-Identifier: Apache-2.0
#include <sys/random.h>
#include <sys/stat.h>

#include <array>
#include <cstdio>

#include "commands.h"
#include "commands/create_options.h"
#include "options.h"

namespace runhl::commands_internal {
namespace {

/// A person names the bundle ("run ./hello/"); an engine names the container. An id has no '/'.
bool names_bundle(const std::string& argument) {
  struct stat info{};
  return argument.find('/') != std::string::npos &&
         ::stat((argument + "/config.json").c_str(), &info) == 0;
}

Result<std::string> random_id() {
  std::array<unsigned char, 6> bytes{};
  if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
    return fail_errno("getrandom");
  }
  constexpr const char* kDigits = "0123456789abcdef";
  std::string id = "run-";
  for (const unsigned char byte : bytes) {
    id += {kDigits[byte >> 4U], kDigits[byte & 0xfU]};
  }
  return id;
}

}  // namespace

Result<int> run(const GlobalOptions& globals, Arguments args) {
  shim::RunRequest request;
  VerbOptions verb;
  std::string name;
  bool detach = false, keep = false, no_subreaper = false;
  Options options("runhl run",
                  "Creates a container, starts it, waits for its end and removes it.\n"
                  "The exit code is the program's, 128+N after signal N, 1 when it did not start.");
  declare_create_options(options, &request.create, &verb);
  options.flag("-d,--detach", "do not wait for its end", &detach);
  options.flag("--keep", "do not remove it after its end", &keep);
  options.flag("--no-subreaper", "accepted: nothing is reparented to this process", &no_subreaper);
  options.positional("container-id|bundle",
                     "name of the new container, or a bundle directory (with a '/' in it)", &name,
                     Presence::Required);
  if (!TRY(options.parse(args))) {
    return 0;
  }
  request.create.id = name;
  TRY(apply_rootfs_options(verb, &request.create));
  if (names_bundle(name)) {
    request.create.bundle = name;
    request.create.id = TRY(random_id());
  }
  request.after_start = detach ? shim::AfterStart::Detach : shim::AfterStart::Wait;
  request.after_exit = keep ? shim::AfterExit::Keep : shim::AfterExit::Delete;
  const shim::StateRoot root(TRY(shim::StateRoot::path_for(globals.root)));
  return with_context("run " + request.create.id, shim::run(root, request, cell_factory()));
}

}  // namespace runhl::commands_internal
