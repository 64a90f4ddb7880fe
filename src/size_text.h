// SPDX-License-Identifier: Apache-2.0
// Sizes as people write them.
#pragma once

#include <cstdint>
#include <string_view>

#include "runhl/base/result.h"

namespace runhl {

/// Bytes: "65536", "64k", "10M", "2G", "1T", by powers of 1024, in either case, with or without a
/// final B. Errors: InvalidArgument.
Result<std::uint64_t> parse_size(std::string_view text);

}  // namespace runhl
