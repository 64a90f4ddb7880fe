// SPDX-License-Identifier: Apache-2.0
// A blob's bytes on their way, with their digest; pages of zeros become holes where they arrive.
#pragma once

#include <cstdint>

#include "runhl/base/result.h"
#include "runhl/reference/digest.h"

namespace runhl::boot {

/// All `size` bytes, from the beginning of one file to that of another, which is empty.
/// InvalidArgument: `from` has fewer.
Result<oci::Digest> copy_sparse(int from, int to, std::uint64_t size);

/// Of a memfd: from now on nobody changes it, or makes it shorter.
Result<void> seal(int memory_fd);

}  // namespace runhl::boot
