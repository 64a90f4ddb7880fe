// SPDX-License-Identifier: Apache-2.0
// What /proc tells of the program that a process runs. Made by exec, never changed after, shared
// with children until their own exec.
#pragma once

#include <array>
#include <cstdint>

#include "fs/file.h"
#include "fs/text.h"
#include "fs/write_access.h"
#include "mm/ref.h"

namespace runhl::kernel {

struct ProgramImage : RefCounted<ProgramImage> {
  Ref<File> executable;
  WriteHold hold;                             // nobody writes to it
  Text arguments, environment;                // each with its NUL
  std::array<std::uint64_t, 48> auxiliary{};  // pairs, AT_NULL at the end
  std::uint32_t auxiliary_count = 0;          // words
  // Where the program finds them: in its own memory it may have changed them since.
  std::uint64_t arguments_start = 0, environment_start = 0;
  std::uint64_t code_start = 0, code_end = 0, data_start = 0, data_end = 0, stack_start = 0;
};

}  // namespace runhl::kernel
