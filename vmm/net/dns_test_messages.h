// SPDX-License-Identifier: Apache-2.0
// Tests' side of DNS: answers to a query.
#pragma once

#include <algorithm>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "net/dns.h"

namespace runhl::vmm::net {

inline std::vector<std::byte> bytes_of(std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

/// The question of `query` again, and an address for it.
inline std::vector<std::byte> answer_to(std::span<const std::byte> query,
                                        std::span<const Address> addresses, unsigned code = 0) {
  constexpr std::size_t kHeader = 12, kOptSize = 11;
  std::vector<std::byte> answer(query.begin(), query.end() - kOptSize);
  answer[2] = std::byte{0x81};
  answer[3] = static_cast<std::byte>(0x80U | code);
  answer[7] = static_cast<std::byte>(addresses.size());
  answer[11] = {};
  for (const Address& address : addresses) {
    const char type = address.v6 ? 28 : 1, size = address.v6 ? 16 : 4;
    std::string record{'\xc0', static_cast<char>(kHeader), 0, type, 0, 1, 0, 0, 0, 60, 0, size};
    record.append(reinterpret_cast<const char*>(address.bytes.data()),
                  static_cast<std::size_t>(size));
    const auto bytes = bytes_of(record);
    answer.insert(answer.end(), bytes.begin(), bytes.end());
  }
  return answer;
}

}  // namespace runhl::vmm::net
