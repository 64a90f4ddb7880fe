// SPDX-License-Identifier: Apache-2.0
// Which contract an upstream kernel was built for, told from its bytes.
#pragma once

#include <cstddef>
#include <span>

#include "runhl/base/result.h"
#include "runhl/vmm/hyperlight/guest.h"

namespace runhl::vmm::hyperlight {

/// Unsupported: of none.
Result<Generation> detect_generation(std::span<const std::byte> kernel);

/// What the spec says, or else what the bytes do.
Result<Generation> generation_of(const GuestSpec& spec);

/// Kernels since 0.19, which expect times in the attributes of host files.
bool knows_file_times(std::span<const std::byte> kernel);

}  // namespace runhl::vmm::hyperlight
