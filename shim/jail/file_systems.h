// SPDX-License-Identifier: Apache-2.0
// File systems that are interfaces of the kernel, never a container's data.
#pragma once

#include <cstdint>

namespace runhl::shim {

/// The name of the kernel file system with this magic number, nullptr for any other.
const char* kernel_file_system(std::uint64_t magic);

}  // namespace runhl::shim
