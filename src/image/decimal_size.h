// SPDX-License-Identifier: Apache-2.0
// Sizes as people read them, by powers of 1000: "512 B", "1.2 GB".
#pragma once

#include <cstdint>
#include <string>

namespace runhl::image {

std::string decimal_size(std::uint64_t bytes);

}  // namespace runhl::image
