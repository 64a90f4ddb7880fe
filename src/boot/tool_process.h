// SPDX-License-Identifier: Apache-2.0
// One run of a tool's program: a fresh process in a session of its own, with three streams and no
// other descriptor, no environment but PATH and its name, nothing that it could become by
// set-user-id, and an end after kToolSeconds.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "runhl/base/result.h"

namespace runhl::boot {

inline constexpr int kToolSeconds = 10;
inline constexpr std::size_t kMaxToolOutput = std::size_t{1} << 20U;

struct ToolProgram {
  std::string name;
  std::string path;  ///< absolute
};

/// What it prints for `input`. Its standard error is ours. Io: it failed, or prints too much;
/// Timeout: it does not end.
Result<std::string> run_tool_program(const ToolProgram& tool, std::string_view input);

}  // namespace runhl::boot
