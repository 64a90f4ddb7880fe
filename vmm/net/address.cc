// SPDX-License-Identifier: Apache-2.0
#include "runhl/vmm/net/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>

namespace runhl::vmm::net {
namespace {

constexpr std::size_t kV4Size = 4, kV6Size = 16, kMappedAt = 12;
constexpr int kMaxPort = 65535;
constexpr std::array<std::uint8_t, kMappedAt> kMappedPrefix = {0, 0, 0, 0, 0,    0,
                                                               0, 0, 0, 0, 0xff, 0xff};

Address address_of(const in_addr& v4) {
  Address address;
  std::memcpy(address.bytes.data(), &v4, kV4Size);
  return address;
}

Address address_of(const in6_addr& v6) {
  Address address;
  const std::uint8_t* const bytes = v6.s6_addr;
  if (std::equal(kMappedPrefix.begin(), kMappedPrefix.end(), bytes)) {
    std::copy_n(bytes + kMappedAt, kV4Size, address.bytes.begin());
  } else {
    address.v6 = true;
    std::copy_n(bytes, kV6Size, address.bytes.begin());
  }
  return address;
}

// A sockaddr_storage is read and written as what its family says: through copies, not casts.
template <typename T>
SocketAddress in_storage(const T& address) {
  SocketAddress result;
  std::memcpy(&result.storage, &address, sizeof address);
  result.size = sizeof address;
  return result;
}

template <typename T>
T out_of_storage(const SocketAddress& address) {
  T result{};
  std::memcpy(&result, &address.storage, sizeof result);
  return result;
}

}  // namespace

std::optional<Address> parse_address(std::string_view text) {
  const std::string copy(text);
  in_addr v4{};
  in6_addr v6{};
  if (::inet_pton(AF_INET, copy.c_str(), &v4) == 1) {
    return address_of(v4);
  }
  if (::inet_pton(AF_INET6, copy.c_str(), &v6) == 1) {
    return address_of(v6);
  }
  return std::nullopt;
}

std::string to_string(const Address& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  (void)::inet_ntop(address.v6 ? AF_INET6 : AF_INET, address.bytes.data(), text.data(),
                    static_cast<socklen_t>(text.size()));
  return text.data();
}

bool is_within(const Address& address, const Address& network, unsigned prefix) {
  if (address.v6 != network.v6) {
    return false;
  }
  const std::size_t whole = prefix / 8;
  if (!std::equal(address.bytes.begin(), address.bytes.begin() + static_cast<std::ptrdiff_t>(whole),
                  network.bytes.begin())) {
    return false;
  }
  const unsigned rest = prefix % 8;
  return rest == 0 || (address.bytes[whole] ^ network.bytes[whole]) >> (8 - rest) == 0;
}

std::optional<SocketAddress> socket_address(int family, const std::string& text, int port) {
  if (port < 0 || port > kMaxPort || text.find('\0') != std::string::npos) {
    return std::nullopt;
  }
  const auto number = htons(static_cast<std::uint16_t>(port));
  if (family == AF_INET) {
    sockaddr_in address{.sin_family = AF_INET, .sin_port = number, .sin_addr = {}, .sin_zero = {}};
    if (::inet_pton(AF_INET, text.c_str(), &address.sin_addr) == 1) {
      return in_storage(address);
    }
  } else if (family == AF_INET6) {
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_port = number;
    if (::inet_pton(AF_INET6, text.c_str(), &address.sin6_addr) == 1) {
      return in_storage(address);
    }
  }
  return std::nullopt;
}

SocketAddress socket_address(const Endpoint& endpoint) {
  const auto number = htons(endpoint.port);
  if (!endpoint.address.v6) {
    sockaddr_in address{.sin_family = AF_INET, .sin_port = number, .sin_addr = {}, .sin_zero = {}};
    std::memcpy(&address.sin_addr, endpoint.address.bytes.data(), kV4Size);
    return in_storage(address);
  }
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_port = number;
  std::memcpy(&address.sin6_addr, endpoint.address.bytes.data(), kV6Size);
  return in_storage(address);
}

Endpoint endpoint_of(const SocketAddress& address) {
  if (address.storage.ss_family == AF_INET) {
    const auto v4 = out_of_storage<sockaddr_in>(address);
    return {address_of(v4.sin_addr), ntohs(v4.sin_port)};
  }
  if (address.storage.ss_family == AF_INET6) {
    const auto v6 = out_of_storage<sockaddr_in6>(address);
    return {address_of(v6.sin6_addr), ntohs(v6.sin6_port)};
  }
  return {};
}

}  // namespace runhl::vmm::net
