// SPDX-License-Identifier: Apache-2.0
// The machine's own programs and libraries as a corpus of code.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "arch/x86_64/rewrite_site.h"

namespace runhl::kernel::hosted {

struct Program {
  std::string path;
  std::uint64_t address = 0;        // of the executable segment
  std::vector<std::uint8_t> bytes;  // of it

  [[nodiscard]] ProgramText text() const { return {.at = address, .bytes = bytes}; }
};

/// Those of libc, the dynamic loader, busybox, Go and musl that are installed.
std::vector<Program> installed_programs();

}  // namespace runhl::kernel::hosted
