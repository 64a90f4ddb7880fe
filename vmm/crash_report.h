// SPDX-License-Identifier: Apache-2.0
// A guest kernel's panic as text: message, task, registers, backtrace with function names.
#pragma once

#include <string>
#include <string_view>

#include "runhl/abi/panic.h"

namespace runhl::vmm {

/// `report` is a private copy and hostile: lengths and texts are bounded and made printable.
/// `symbols`: lines "hex-address name", ascending.
std::string describe_panic(const abi::PanicReport& report, std::string_view symbols);

/// "name+0x12", or "" when no symbol lies at or below the address.
std::string symbolise(std::uint64_t address, std::string_view symbols);

}  // namespace runhl::vmm
