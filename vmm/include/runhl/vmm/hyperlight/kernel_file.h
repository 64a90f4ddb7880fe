// SPDX-License-Identifier: Apache-2.0
// An upstream kernel's file, judged before anybody boots it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "runhl/base/result.h"
#include "runhl/vmm/hyperlight/guest.h"

namespace runhl::vmm::hyperlight {

inline constexpr std::uint64_t kMaxKernelFile = std::uint64_t{256} << 20U;

/// Which contract it was built for. InvalidArgument, Unsupported: why it cannot be booted.
Result<Generation> check_kernel_file(std::span<const std::byte> file);

/// The same for whoever brings a program of his own. Unsupported: of G1, whose kernels have theirs.
Result<Generation> check_kernel_for_programs(std::span<const std::byte> file);

}  // namespace runhl::vmm::hyperlight
