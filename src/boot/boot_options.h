// SPDX-License-Identifier: Apache-2.0
// The command line of `runhl boot`: that of hyperlight-unikraft, as far as there is something
// behind it; what there is not yet is refused by name.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "boot/choice.h"
#include "boot/tool_process.h"
#include "runhl/base/result.h"
#include "runhl/vmm/hyperlight/guest.h"
#include "runhl/vmm/net/policy.h"

namespace runhl::boot {

/// --mount HOST[:GUEST][:ro]
struct MountOption {
  std::string host, guest;
  bool read_only = false;
};

struct BootOptions {
  std::string kernel;              ///< a path or a name of the store; empty: the default there
  std::string initrd;              ///< the same; empty: none
  std::string store;               ///< its directory; empty: the default
  std::string pull = "missing";    ///< or never
  std::uint64_t memory_bytes = 0;  ///< the guest's; 0: as the snapshot has it
  std::optional<vmm::hyperlight::Generation> abi;  ///< none: told from the kernel's bytes
  std::string entry;                               ///< the program; empty: none
  std::vector<std::string> args;    ///< its arguments, once fit_options() has told them apart
  std::optional<std::string> code;  ///< what -e has
  std::vector<std::string> env;     ///< KEY=VALUE
  std::vector<MountOption> mounts;  ///< no two at one place
  std::optional<vmm::net::PolicySpec> network;  ///< none: no network
  Choice isolation = Choice::Auto;
  std::string state_root;          ///< --root as given; empty: the default
  std::uint64_t time_limit_s = 0;  ///< 0: none
  std::uint64_t repeat = 0;        ///< runs after the first
  std::string save;                ///< where a snapshot is to be; empty: a program runs
  std::string restore;             ///< a snapshot to go on from; empty: the kernel boots
  bool echo_tool = false;
  std::vector<ToolProgram> tools;  ///< no two of one name
  bool quiet = false;
  bool print_version = false;
  bool as_seed = false;                      ///< under the name of seed.h
  bool trace_tools = false;                  ///< G1
  std::optional<std::string> argument_line;  ///< G1: what the kernel gets for `args`, as it is
};

/// What a message calls the kernel.
inline std::string shown_kernel(const BootOptions& options) {
  return options.kernel.empty() ? "default" : options.kernel;
}

/// What stands before an error, and a colon.
inline const char* speaker(const BootOptions& options) {
  return options.as_seed ? "Error" : "runhl boot";
}

/// None: help was asked for and printed. InvalidArgument, Unsupported: one line.
Result<std::optional<BootOptions>> parse_boot_options(std::span<const std::string> args);

/// What only the kernel decides: which of the words after -- is its program, and what there is of
/// the options in its generation. InvalidArgument, Unsupported: one line.
Result<void> fit_options(vmm::hyperlight::Generation generation, BootOptions* options);

/// The word of --abi; none where it is empty. InvalidArgument: one line.
Result<std::optional<vmm::hyperlight::Generation>> parse_abi(const std::string& abi);

/// --tool NAME=PROGRAM each. InvalidArgument: no such pair, a name that kernels have for
/// themselves, two of one name.
Result<std::vector<ToolProgram>> parse_tools(const std::vector<std::string>& texts, bool echo);

/// Bytes as upstream writes them: Ki, Mi, Gi are powers of 1024, K, M, G of 1000, none is bytes.
Result<std::uint64_t> parse_memory(std::string_view text);

}  // namespace runhl::boot
