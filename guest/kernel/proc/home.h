// SPDX-License-Identifier: Apache-2.0
// HOME of the container's process, from the root file system's /etc/passwd, as runc sets it.
#pragma once

#include <cstdint>

#include "proc/string_block.h"

namespace runhl::kernel {

/// Adds HOME to `environment` unless it is there: the home of `uid`, else "/".
Result<void> add_home(StringBlock& environment, std::uint32_t uid);

/// The home directory of `uid` in a passwd file's text; empty: no such user.
std::string_view find_home(std::string_view passwd, std::uint32_t uid);

}  // namespace runhl::kernel
