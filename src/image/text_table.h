// SPDX-License-Identifier: Apache-2.0
// Rows of words under each other.
#pragma once

#include <algorithm>
#include <span>
#include <string>
#include <vector>

namespace runhl::image {

/// Rows of the same length, the first one the heading; the last column is not padded.
inline std::string text_table(std::span<const std::vector<std::string>> rows) {
  std::string text;
  std::vector<std::size_t> widths(rows.front().size());
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], row[i].size());
    }
  }
  for (const auto& row : rows) {
    for (std::size_t i = 0; i + 1 < row.size(); ++i) {
      text.append(row[i]).append(widths[i] - row[i].size() + 3, ' ');
    }
    text.append(row.back()).append("\n");
  }
  return text;
}

/// As much of a digest as a person compares.
inline std::string short_digest(const std::string& hex) {
  constexpr std::size_t kDigits = 12;
  return hex.substr(0, kDigits);
}

}  // namespace runhl::image
