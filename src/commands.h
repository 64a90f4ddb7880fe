// SPDX-License-Identifier: Apache-2.0
// The verbs. One line a verb in the table of commands.cc, one file a verb in commands/.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "runhl/base/log.h"
#include "runhl/base/result.h"

namespace runhl {

/// What stands before the verb, as given; nothing is looked up on the host for it.
struct GlobalOptions {
  std::string root;  ///< empty: the default for this user
  LogOptions log;
  std::string isolation = "auto";
  std::string kernel;  ///< an upstream one for containers; empty: ours, or as config.json says
  std::string store;   ///< that has such kernels; empty: the default
};

using Arguments = std::span<const std::string>;

struct Command {
  std::string_view name;
  std::string_view help;
  /// The exit code, or why there is none but 1.
  Result<int> (*run)(const GlobalOptions& globals, Arguments args);
};

std::span<const Command> commands();
const Command* find_command(std::string_view name);

/// Parses the global options, runs the verb, logs an error; returns the process's exit code.
int run_command_line(Arguments args);

namespace commands_internal {  // one function a file of commands/
/// Becomes runhl-boot; returns only to say why it cannot.
Result<int> boot(const GlobalOptions& globals, Arguments args);
Result<int> create(const GlobalOptions& globals, Arguments args);
Result<int> delete_container(const GlobalOptions& globals, Arguments args);
Result<int> events(const GlobalOptions& globals, Arguments args);
Result<int> features(const GlobalOptions& globals, Arguments args);
/// Becomes runhl-image for one of its verbs; returns only to say why it cannot.
Result<int> forward(const char* verb, Arguments args);
Result<int> info(const GlobalOptions& globals, Arguments args);
Result<int> kill(const GlobalOptions& globals, Arguments args);
Result<int> list(const GlobalOptions& globals, Arguments args);
Result<int> pause(const GlobalOptions& globals, Arguments args);
Result<int> resume(const GlobalOptions& globals, Arguments args);
Result<int> run(const GlobalOptions& globals, Arguments args);
Result<int> spec(const GlobalOptions& globals, Arguments args);
Result<int> start(const GlobalOptions& globals, Arguments args);
Result<int> state(const GlobalOptions& globals, Arguments args);
}  // namespace commands_internal

}  // namespace runhl
