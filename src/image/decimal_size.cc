// SPDX-License-Identifier: Apache-2.0
#include "image/decimal_size.h"

#include <array>
#include <cstdio>

namespace runhl::image {

std::string decimal_size(std::uint64_t bytes) {
  constexpr std::array kUnits = {"B", "kB", "MB", "GB", "TB"};
  double size = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; size >= 1000 && unit + 1 < kUnits.size(); ++unit) {
    size /= 1000;
  }
  std::array<char, 32> text{};
  (void)std::snprintf(text.data(), text.size(), unit == 0 ? "%.0f %s" : "%.1f %s", size,
                      kUnits[unit]);
  return text.data();
}

}  // namespace runhl::image
