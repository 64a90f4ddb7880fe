// SPDX-License-Identifier: Apache-2.0
// The container's init, from BootConfig to its first instruction.
#pragma once

#include <string_view>

namespace runhl::kernel {

/// Ends the boot with an errno and one line for the user. Never returns.
[[noreturn]] void boot_failed(int error, std::string_view message);

}  // namespace runhl::kernel
