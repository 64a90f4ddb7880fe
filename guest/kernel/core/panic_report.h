// SPDX-License-Identifier: Apache-2.0
// The long form of panic(): for a host signal in the kernel that was not ours to handle.
#pragma once

#include <cstdint>
#include <string_view>

namespace runhl::kernel {

struct MachineContext;

[[noreturn]] void panic_at(std::string_view message, const MachineContext& registers, int signal,
                           std::uint64_t fault_address);
/// Cell 0 reports the end of another cell; its registers are gone.
[[noreturn]] void panic_for_cell(std::string_view message, int signal);

}  // namespace runhl::kernel
