// SPDX-License-Identifier: Apache-2.0
// The command line of hyperlight-unikraft 0.4, which this program has under that name: its options,
// defaults, exclusions and lines. Ours are known beside them: --abi, --isolation, --time-limit,
// --tool.
//
//   options it cannot read: "error: …", and 2; all else that goes wrong: "Error: …", and 1
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "boot/boot_options.h"
#include "runhl/base/result.h"

namespace runhl::boot {

inline constexpr std::string_view kSeedName = "hyperlight-unikraft";

/// A command line as it was given. InvalidArgument: the text behind "error: ".
struct SeedOptions {
  std::string kernel, initrd, memory = "512Mi", stack = "8Mi", isolation = "auto", abi;
  std::optional<std::string> code;
  std::vector<std::string> mounts, net_allow, net_block, tools, args;
  std::vector<std::uint16_t> ports;
  std::uint64_t repeat = 0, time_limit_s = 0;
  bool quiet = false, enable_tools = false, net = false, help = false, version = false;
};
Result<SeedOptions> parse_seed_options(std::span<const std::string> args);

/// Bytes. InvalidArgument: in that program's words. More than 64 bits hold is refused.
Result<std::uint64_t> parse_seed_memory(std::string_view text);

/// --mount HOST[:GUEST]: the last colon counts, where a slash follows. InvalidArgument: a place
/// that the guest needs itself.
Result<MountOption> parse_seed_mount(const std::string& text);

/// The arguments as the kernel gets them, as they are; of code, quoted.
std::string seed_argument_line(const SeedOptions& seed);

/// All of it: the exit code.
int run_seed(std::span<const std::string> args);

}  // namespace runhl::boot
