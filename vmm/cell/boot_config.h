// SPDX-License-Identifier: Apache-2.0
// MachineSpec as the bytes of the monitor area's BootConfig (abi/boot.h). Pure.
//
//   const std::vector<std::byte> config = TRY(make_boot_config(spec, {mode0, mode1, mode2}));
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "runhl/base/result.h"
#include "runhl/vmm/machine.h"

namespace runhl::vmm::cell {

/// `stream_modes`: st_mode of streams 0, 1, 2, 0 for a closed one.
/// Errors: InvalidArgument: no args, an embedded NUL, one string beyond 128 KiB or all args and env
/// beyond 2 MiB (Linux's limits: "argument list too long"), more than kMaxGroups groups, a mount
/// that names no tree.
Result<std::vector<std::byte>> make_boot_config(const MachineSpec& spec,
                                                const std::array<std::uint32_t, 3>& stream_modes);

/// Bytes of the archive; 0: there is none.
Result<std::uint64_t> initrd_size(const MachineSpec& spec);

}  // namespace runhl::vmm::cell
