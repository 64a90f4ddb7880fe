// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <charconv>
#include <optional>
#include <string_view>
#include <system_error>

namespace runhl {

/// Of all of `text`: digits, and '-' where T has a sign. None: it is something else, or too large.
template <typename T>
std::optional<T> whole_number(std::string_view text, int base = 10) {
  T value{};
  const auto [stop, error] = std::from_chars(text.begin(), text.end(), value, base);
  return error == std::errc() && stop == text.end() ? std::optional(value) : std::nullopt;
}

}  // namespace runhl
