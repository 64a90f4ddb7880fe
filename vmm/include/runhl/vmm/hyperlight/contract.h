// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>

#include "runhl/base/result.h"

namespace runhl::vmm::hyperlight {

/// The number by which upstream's host tells contracts apart in the names of snapshots: 3, 5 or 7.
/// Unsupported: no kernel of ours.
Result<unsigned> contract_of(std::span<const std::byte> kernel);

}  // namespace runhl::vmm::hyperlight
