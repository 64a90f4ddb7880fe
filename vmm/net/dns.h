// SPDX-License-Identifier: Apache-2.0
// DNS messages (RFC 1035), as far as a policy reads them: which names are asked for, and which
// addresses an answer gives. All of them come from a guest, or from a network.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "runhl/vmm/net/address.h"

namespace runhl::vmm::net {

inline constexpr std::uint16_t kDnsPort = 53;
inline constexpr std::uint16_t kTypeA = 1, kTypeAaaa = 28;

/// Lower case, without the dot at the end. None: no name of a host.
std::optional<std::string> canonical_name(std::string_view text);

/// The names that a well-formed query asks for, canonical. None: anything else, be it an answer, a
/// name of odd bytes, or what cannot be read to the end of its questions.
std::optional<std::vector<std::string>> names_in_query(std::span<const std::byte> message);

struct DnsAnswer {
  std::uint16_t id = 0;
  std::uint16_t type = 0;  ///< of the first question
  unsigned code = 0;       ///< RCODE: 0 good, 3 no such name
  bool truncated = false;
  std::string name;  ///< of the first question, canonical
  std::vector<Address> addresses;
};
/// None: no answer, or one that cannot be read to its end.
std::optional<DnsAnswer> parse_answer(std::span<const std::byte> message);

/// A question for one name, which is canonical.
std::vector<std::byte> make_query(std::uint16_t id, std::string_view name, std::uint16_t type);

}  // namespace runhl::vmm::net
