// SPDX-License-Identifier: Apache-2.0
// What a snapshot taken here would be of, and whether one that was read can go on here.
#pragma once

#include <cstddef>
#include <span>

#include "boot/snapshot/directory.h"
#include "runhl/base/result.h"

namespace runhl::boot {

enum class Cpu : std::uint8_t { Software, Hardware };

SnapshotHost host_here(Cpu cpu);

/// Unsupported: no kernel of a known generation.
Result<SnapshotOrigin> origin_here(std::span<const std::byte> kernel, Cpu cpu);

/// InvalidArgument: of another kernel, CPU or clock, with both named; or its guest relies on a host
/// function that there is not.
Result<void> check_goes_on_here(const StoredSnapshot& stored, const SnapshotHost& host,
                                const SnapshotOrigin& here);

/// InvalidArgument: of a G1 guest, whose file tells nothing else, that relies on a host function
/// that there is not.
Result<void> check_goes_on_here(const StoredSnapshot& oldest);

}  // namespace runhl::boot
