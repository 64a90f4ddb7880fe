// SPDX-License-Identifier: Apache-2.0
#include "hyperlight/base64.h"

#include <cstdint>

namespace runhl::vmm::hyperlight {
namespace {

constexpr std::string_view kSymbols =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr char kPad = '=';

tl::unexpected<Error> invalid(std::string what) {
  return fail(ErrorCode::InvalidArgument, std::move(what));
}

std::string at_symbol(std::string_view what, std::string_view text, std::size_t at) {
  return std::string(what) + " " + std::to_string(static_cast<unsigned char>(text[at])) +
         ", offset " + std::to_string(at) + ".";
}

}  // namespace

std::string to_base64(std::string_view bytes) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::string_view group = bytes.substr(i, 3);
    std::uint32_t bits = 0;
    for (std::size_t k = 0; k < 3; ++k) {
      bits = bits << 8U | (k < group.size() ? static_cast<unsigned char>(group[k]) : 0U);
    }
    for (std::size_t k = 0; k < 4; ++k) {
      text += k <= group.size() ? kSymbols[bits >> (18 - 6 * k) & 63U] : kPad;
    }
  }
  return text;
}

Result<std::string> from_base64(std::string_view text) {
  const std::string_view symbols = text.substr(0, text.find_last_not_of(kPad) + 1);
  const std::size_t pads = text.size() - symbols.size();
  std::string bytes;
  std::uint32_t bits = 0;
  for (std::size_t i = 0; i < symbols.size(); ++i) {
    const std::size_t value = kSymbols.find(symbols[i]);
    if (value == std::string_view::npos) {
      return invalid(at_symbol("Invalid symbol", text, i));
    }
    bits = bits << 6U | static_cast<std::uint32_t>(value);
    if (i % 4 != 0) {
      const std::size_t spare = 6 - 2 * (i % 4);
      bytes += static_cast<char>(bits >> spare & 0xffU);
    }
  }
  const std::size_t rest = symbols.size() % 4;
  if (rest == 1) {
    return invalid("Invalid input length: " + std::to_string(symbols.size()));
  }
  if (pads != (rest == 0 ? 0 : 4 - rest)) {
    return invalid("Invalid padding");
  }
  const std::uint32_t unused = rest == 2 ? 0xfU : rest == 3 ? 0x3U : 0U;
  if ((bits & unused) != 0) {
    return invalid(at_symbol("Invalid last symbol", text, symbols.size() - 1));
  }
  return bytes;
}

}  // namespace runhl::vmm::hyperlight
