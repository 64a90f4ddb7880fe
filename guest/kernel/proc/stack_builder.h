// SPDX-License-Identifier: Apache-2.0
// The first stack of a program, as the x86-64 ABI and Linux lay it out:
//
//   high   8 zero bytes, file name, environment strings, argument strings,
//          platform string, 16 random bytes, padding
//          auxiliary vector (AT_NULL last), NULL, envp[], NULL, argv[], argc
//   low    <- stack pointer, 16-byte aligned
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "core/result.h"
#include "core/user_memory.h"
#include "proc/string_block.h"

namespace runhl::kernel {

struct AuxEntry {
  std::uint64_t type = 0, value = 0;
};

struct StackContents {
  const StringBlock* arguments = nullptr;
  const StringBlock* environment = nullptr;
  std::string_view file_name;  // AT_EXECFN
  std::array<std::byte, 16> random{};
  /// Without AT_EXECFN, AT_PLATFORM, AT_RANDOM and AT_NULL, which the builder adds.
  std::span<const AuxEntry> auxiliary;
};

/// Writes the stack below `top`; the stack pointer. E2BIG where it would need more than `limit`.
Result<UserAddress> build_stack(UserAddress top, std::uint64_t limit,
                                const StackContents& contents);

}  // namespace runhl::kernel
