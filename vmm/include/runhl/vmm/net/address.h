// SPDX-License-Identifier: Apache-2.0
// Internet addresses as a policy compares them: an IPv4 address is one, however it is written.
#pragma once

#include <sys/socket.h>

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace runhl::vmm::net {

/// In network order; of an IPv4 address the first four bytes. "::ffff:10.0.0.1" is 10.0.0.1.
struct Address {
  bool v6 = false;
  std::array<std::uint8_t, 16> bytes{};
  friend auto operator<=>(const Address&, const Address&) = default;
};

struct Endpoint {
  Address address;
  std::uint16_t port = 0;
  friend auto operator<=>(const Endpoint&, const Endpoint&) = default;
};

/// None: no literal of either family.
std::optional<Address> parse_address(std::string_view text);
std::string to_string(const Address& address);
/// Of the same family, and the first `prefix` bits are the same.
bool is_within(const Address& address, const Address& network, unsigned prefix);

/// An address for the host's calls, as it was written.
struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  [[nodiscard]] sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};
/// None: `text` is no literal of AF_INET or AF_INET6, whichever `family` is, or `port` is none.
std::optional<SocketAddress> socket_address(int family, const std::string& text, int port);
SocketAddress socket_address(const Endpoint& endpoint);
Endpoint endpoint_of(const SocketAddress& address);

}  // namespace runhl::vmm::net
