// SPDX-License-Identifier: Apache-2.0
// A blob's bytes on their way, with their digest; pages of zeros become holes where they arrive.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

#include "runhl/base/result.h"
#include "runhl/reference/digest.h"

namespace runhl::boot {

/// In a file.
struct FilePlace {
  int fd = -1;  ///< borrowed
  std::uint64_t offset = 0;
};

/// `size` bytes, to where there are as many zeros; `see` is shown each. Where either file stands is
/// of no account, and not kept. Io: `from` has fewer.
Result<void> copy_sparse(FilePlace from, FilePlace to, std::uint64_t size,
                         const std::function<void(std::span<const std::byte>)>& see);

/// All `size` bytes, from the beginning of one file to that of another, which is empty.
Result<oci::Digest> copy_sparse(int from, int to, std::uint64_t size);

/// Of a memfd: from now on nobody changes it, or makes it shorter.
Result<void> seal(int memory_fd);

}  // namespace runhl::boot
