// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstring>
#include <span>

namespace runhl {

/// Zeros alone, or nothing at all.
inline bool is_zero(std::span<const std::byte> bytes) {
  // Each byte is the one before it, and the first is zero: memcmp() looks at words.
  return bytes.empty() ||
         (bytes[0] == std::byte{0} &&
          std::memcmp(bytes.data(), bytes.subspan(1).data(), bytes.size() - 1) == 0);
}

}  // namespace runhl
