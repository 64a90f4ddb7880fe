// SPDX-License-Identifier: Apache-2.0
// Text of others (images, registries, guests, command lines) for messages.
#pragma once

#include <algorithm>
#include <string>
#include <utility>

namespace runhl {

/// One line, and nothing that a terminal obeys: a '?' for each control character.
inline std::string one_line(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }, '?');
  return text;
}

}  // namespace runhl
