// SPDX-License-Identifier: Apache-2.0
// A container's guest on an upstream kernel, as the process that serves it (runhl-boot) is told of
// it: out of a MachineSpec, over an anonymous file.
//
//   const GuestPlan plan = TRY(plan_guest(spec, cpu));    // the monitor
//   const std::string text = encode(plan);
//   const GuestPlan plan = TRY(decode_plan(text));            // runhl-boot
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "runhl/base/result.h"

namespace runhl::vmm {
struct MachineSpec;
}

namespace runhl::vmm::upstream {

enum class Cpu : std::uint8_t { Hardware, Software };

// What a kernel takes. Words are arguments and variables.
inline constexpr std::size_t kMaxWordBytes = 30'000;  ///< with their NULs
inline constexpr std::size_t kMaxWords = 8'000;
inline constexpr std::size_t kMaxMounts = 32;           ///< directories of the host
inline constexpr std::size_t kMaxMountPaths = 2'500;    ///< bytes of their targets
inline constexpr std::uint64_t kMaxCopied = 16U << 20;  ///< of all files of the host

/// The guest's memory where the container may have `limit` bytes, 0 for no limit: what serves the
/// guest takes its share of it. 0: so little is not enough for a kernel.
std::uint64_t guest_memory(std::uint64_t limit);

/// One of the monitor's trees: a directory that is served, or a file that is copied.
struct PlannedTree {
  std::size_t tree = 0;  ///< its name in the jail
  std::string target;    ///< absolute
  bool directory = true;
  bool read_only = false;
};

struct GuestPlan {
  Cpu cpu = Cpu::Hardware;
  std::uint64_t memory_bytes = 0;
  std::uint64_t capabilities = 0;  ///< the ceiling's: bit n = CAP n
  std::vector<std::string> args, env;
  std::string directory = "/";  ///< where the program begins
  std::string hostname;
  std::vector<std::string> made;  ///< directories, made where they are missing
  std::vector<PlannedTree> trees;
};

/// InvalidArgument: the memory limit leaves no room for a kernel.
Result<GuestPlan> plan_guest(const MachineSpec& spec, Cpu cpu);

std::string encode(const GuestPlan& plan);
/// InvalidArgument: not what encode() writes.
Result<GuestPlan> decode_plan(std::string_view text);

}  // namespace runhl::vmm::upstream
