// SPDX-License-Identifier: Apache-2.0
// What of the network a guest may use. A host socket stands behind each of its own, and this is
// asked before every connect, send to an address, and bind.
//
//   PolicySpec spec;
//   spec.mode = Mode::Allow;
//   spec.targets = {TRY(parse_target("example.com:443")), TRY(parse_target("10.0.0.0/8"))};
//   Policy policy = TRY(Policy::create(std::move(spec), Resolver::of_host()));
//   if (policy.may_send({address, 443}, Transport::Tcp)) …
//
// No network address that belongs to the link alone, and no cloud's metadata service, is ever
// reached. Lists keep the guest from the host's loopback, too. Under a list, what is sent to port
// 53 must be questions that the list allows; answers from a resolver that the host knows teach the
// addresses of listed names.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "runhl/base/result.h"
#include "runhl/vmm/net/address.h"
#include "runhl/vmm/net/resolver.h"

namespace runhl::vmm::net {

enum class Mode : std::uint8_t {
  None,   ///< no network, or, where ports are given, a network that nothing can be sent to first
  All,    ///< everywhere
  Allow,  ///< to the targets alone
  Block,  ///< everywhere but to the targets
};
enum class Transport : std::uint8_t { Tcp, Udp };

/// A host or a network, and one port of it or all.
struct Target {
  std::string name;  ///< canonical; empty: `network` it is
  Address network;   ///< its first address
  unsigned prefix = 0;
  std::uint16_t port = 0;  ///< 0: all
};
/// NAME, ADDRESS or ADDRESS/BITS, each with :PORT behind it; IPv6 then in brackets.
Result<Target> parse_target(std::string_view text);

struct PortRange {
  std::uint16_t first = 0, last = 0;
};
/// PORT, LOW-HIGH or all.
Result<PortRange> parse_port_range(std::string_view text);

struct PolicySpec {
  Mode mode = Mode::None;
  std::vector<Target> targets;
  std::vector<PortRange> listen;  ///< ports that a guest may bind, beside 0
};

class Policy {
 public:
  /// Resolves the targets' names. NotFound: one that has no address.
  static Result<Policy> create(PolicySpec spec, Resolver resolver);

  /// Looks blocked names up anew, for a quarter of a second at most; then it is refused.
  [[nodiscard]] bool may_send(const Endpoint& to, Transport transport);
  [[nodiscard]] bool may_bind(std::uint16_t port) const;
  /// What is sent to port 53. Over TCP: one whole message, with its length in front.
  [[nodiscard]] bool may_send_query(std::span<const std::byte> bytes, Transport transport) const;
  /// What came from a socket address. Over UDP one message, over TCP what begins with one.
  void learn(const Endpoint& from, std::span<const std::byte> bytes, Transport transport);
  /// Ports that may be bound.
  [[nodiscard]] std::span<const PortRange> listen_ports() const { return spec_.listen; }
  /// A port below 1024 may be bound.
  [[nodiscard]] bool binds_low_ports() const;

 private:
  Policy(PolicySpec spec, Resolver resolver)
      : spec_(std::move(spec)), resolver_(std::move(resolver)) {}
  [[nodiscard]] bool is_listed(const Endpoint& to) const;
  [[nodiscard]] bool is_blocked_now(const Endpoint& to);
  [[nodiscard]] bool is_listed_name(std::string_view name) const;
  void add(std::string_view name, std::span<const Address> addresses);

  PolicySpec spec_;
  Resolver resolver_;
  std::multimap<Address, std::uint16_t> of_names_;  ///< addresses of listed names, with their ports
};

}  // namespace runhl::vmm::net
