// SPDX-License-Identifier: Apache-2.0
// A blob that is one file, compressed or not.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

#include "runhl/base/result.h"

namespace runhl::oci {

/// Its bytes, unpacked, in pieces: gzip, zstd or none, told apart by the first bytes. `fd` stands
/// at the beginning. Errors: InvalidArgument (cut off, damaged, far larger than any file is), and
/// those of `take`.
Result<void> unpack_blob(int fd, std::uint64_t compressed_size,
                         const std::function<Result<void>(std::span<const std::byte>)>& take);

}  // namespace runhl::oci
