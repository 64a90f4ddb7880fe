// SPDX-License-Identifier: Apache-2.0
#include "runhl/vmm/net/policy.h"

#include <algorithm>
#include <array>
#include <utility>

#include "net/dns.h"
#include "runhl/base/number.h"

namespace runhl::vmm::net {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kAtStart{5000}, kAtUse{250};
constexpr std::size_t kMostLearned = 4096;
constexpr unsigned kV4Bits = 32, kV6Bits = 128;
constexpr std::uint16_t kLowest = 1, kHighest = 65535, kFirstUnprivileged = 1024;

struct Network {
  Address address;
  unsigned prefix;
};

Network network(std::string_view text, unsigned prefix) {
  return {parse_address(text).value_or(Address{}), prefix};
}

bool is_in_any(const Address& address, std::span<const Network> networks) {
  return std::any_of(networks.begin(), networks.end(), [&address](const Network& one) {
    return is_within(address, one.address, one.prefix);
  });
}

/// The link's own, where clouds' metadata services are, and the one that is elsewhere.
bool is_never_reached(const Address& address) {
  static const std::array networks = {network("169.254.0.0", 16), network("fe80::", 10),
                                      network("fd00:ec2::254", kV6Bits)};
  return is_in_any(address, networks);
}

/// 0.0.0.0 and :: are the loopback's, too.
bool is_loopback(const Address& address) {
  static const std::array networks = {network("127.0.0.0", 8), network("0.0.0.0", kV4Bits),
                                      network("::1", kV6Bits), network("::", kV6Bits)};
  return is_in_any(address, networks);
}

/// Resolvers that everybody knows, beside the host's.
bool is_public_resolver(const Address& address) {
  static const std::array networks = {network("8.8.8.8", kV4Bits), network("8.8.4.4", kV4Bits),
                                      network("1.1.1.1", kV4Bits), network("1.0.0.1", kV4Bits)};
  return is_in_any(address, networks);
}

bool is_known_resolver(const Endpoint& endpoint, const Resolver& resolver) {
  const auto& servers = resolver.servers();
  return (endpoint.port == kDnsPort && is_public_resolver(endpoint.address)) ||
         std::find(servers.begin(), servers.end(), endpoint) != servers.end();
}

tl::unexpected<Error> invalid(std::string_view text, std::string_view why) {
  return fail(ErrorCode::InvalidArgument, "\"" + std::string(text) + "\": " + std::string(why));
}

std::optional<unsigned> number(std::string_view text, unsigned least, unsigned most) {
  const auto value = whole_number<unsigned>(text);
  return value && *value >= least && *value <= most ? value : std::nullopt;
}

std::optional<std::uint16_t> port_number(std::string_view text) {
  const auto value = number(text, kLowest, kHighest);
  return value ? std::optional(static_cast<std::uint16_t>(*value)) : std::nullopt;
}

struct HostAndPort {
  std::string_view host;
  std::optional<std::string_view> port;
};

HostAndPort split_port(std::string_view text) {
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end != std::string_view::npos && (end + 1 == text.size() || text[end + 1] == ':')) {
      return {text.substr(1, end - 1),
              end + 1 == text.size() ? std::nullopt : std::optional(text.substr(end + 2))};
    }
    return {text, std::nullopt};
  }
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || text.find(':') != colon) {  // IPv6 has more of them
    return {text, std::nullopt};
  }
  return {text.substr(0, colon), text.substr(colon + 1)};
}

bool has_bits_below(const Address& address, unsigned prefix) {
  Address masked = address;
  for (unsigned bit = prefix; bit < (address.v6 ? kV6Bits : kV4Bits); ++bit) {
    masked.bytes.at(bit / 8) &= static_cast<std::uint8_t>(~(0x80U >> bit % 8));
  }
  return masked != address;
}

/// The message that a TCP stream begins with; empty where not all of it is there.
std::span<const std::byte> message_in(std::span<const std::byte> bytes) {
  if (bytes.size() < 2) {
    return {};
  }
  const std::size_t size =
      std::to_integer<std::size_t>(bytes[0]) << 8U | std::to_integer<std::size_t>(bytes[1]);
  return size <= bytes.size() - 2 ? bytes.subspan(2, size) : std::span<const std::byte>();
}

}  // namespace

Result<Target> parse_target(std::string_view text) {
  const auto [host, port] = split_port(text);
  Target target;
  if (port) {
    const auto value = port_number(*port);
    if (!value) {
      return invalid(text, "its port is no number from 1 to 65535");
    }
    target.port = *value;
  }
  const std::size_t slash = host.find('/');
  const auto address = parse_address(host.substr(0, slash));
  if (slash != std::string_view::npos) {
    const auto bits = number(host.substr(slash + 1), 0, address && address->v6 ? kV6Bits : kV4Bits);
    if (!address || !bits) {
      return invalid(text, "no network; one is written 10.0.0.0/8 or fd00::/8");
    }
    if (has_bits_below(*address, *bits)) {
      return invalid(text, "an address within a network, not the network's own");
    }
    target.network = *address;
    target.prefix = *bits;
    return target;
  }
  if (address) {
    target.network = *address;
    target.prefix = address->v6 ? kV6Bits : kV4Bits;
    return target;
  }
  const auto name = canonical_name(host);
  if (!name) {
    return invalid(text, "no name, address or network");
  }
  target.name = *name;
  return target;
}

Result<PortRange> parse_port_range(std::string_view text) {
  if (text == "all") {
    return PortRange{kLowest, kHighest};
  }
  const std::size_t dash = text.find('-');
  const auto first = port_number(text.substr(0, dash));
  const auto last = dash == std::string_view::npos ? first : port_number(text.substr(dash + 1));
  if (!first || !last) {
    return invalid(text, "no port from 1 to 65535, LOW-HIGH or all");
  }
  if (*last < *first) {
    return invalid(text, "an empty range of ports");
  }
  return PortRange{*first, *last};
}

Result<Policy> Policy::create(PolicySpec spec, Resolver resolver) {
  // Ports alone: nothing is listed.
  spec.mode = spec.mode == Mode::None ? Mode::Allow : spec.mode;
  Policy policy(std::move(spec), std::move(resolver));
  for (const Target& target : policy.spec_.targets) {
    if (!target.name.empty()) {
      policy.add(target.name, TRY(with_context("cannot resolve \"" + target.name + "\"",
                                               policy.resolver_.look_up(target.name, kAtStart))));
    }
  }
  return policy;
}

void Policy::add(std::string_view name, std::span<const Address> addresses) {
  for (const Target& target : spec_.targets) {
    if (target.name != name) {
      continue;
    }
    for (const Address& address : addresses) {
      const auto [first, last] = of_names_.equal_range(address);
      const bool known = std::any_of(
          first, last, [&target](const auto& entry) { return entry.second == target.port; });
      if (!known && of_names_.size() < kMostLearned) {
        of_names_.emplace(address, target.port);
      }
    }
  }
}

bool Policy::is_listed_name(std::string_view name) const {
  return std::any_of(spec_.targets.begin(), spec_.targets.end(), [name](const Target& target) {
    return !target.name.empty() && target.name == name;
  });
}

bool Policy::is_listed(const Endpoint& to) const {
  const auto covers = [&to](std::uint16_t port) { return port == 0 || port == to.port; };
  const bool listed =
      std::any_of(spec_.targets.begin(), spec_.targets.end(), [&](const Target& target) {
        return target.name.empty() && covers(target.port) &&
               is_within(to.address, target.network, target.prefix);
      });
  const auto [first, last] = of_names_.equal_range(to.address);
  return listed || std::any_of(first, last, [&](const auto& e) { return covers(e.second); });
}

bool Policy::is_blocked_now(const Endpoint& to) {
  const auto deadline = std::chrono::steady_clock::now() + kAtUse;
  for (const Target& target : spec_.targets) {
    if (target.name.empty()) {
      continue;
    }
    const auto left =
        std::chrono::duration_cast<milliseconds>(deadline - std::chrono::steady_clock::now());
    const auto addresses = resolver_.look_up(target.name, std::max(left, milliseconds(0)));
    if (!addresses) {
      return true;  // who cannot be told from the blocked ones is one
    }
    add(target.name, *addresses);
  }
  return is_listed(to);
}

bool Policy::may_send(const Endpoint& to, Transport transport) {
  if (is_never_reached(to.address)) {
    return false;
  }
  if (spec_.mode == Mode::All) {
    return true;
  }
  if (is_loopback(to.address)) {
    return false;
  }
  if (spec_.mode == Mode::Block) {
    return !is_listed(to) && !is_blocked_now(to);
  }
  return is_listed(to) || (transport == Transport::Udp && is_known_resolver(to, resolver_));
}

bool Policy::may_bind(std::uint16_t port) const {
  return port == 0 ||
         std::any_of(spec_.listen.begin(), spec_.listen.end(), [port](const PortRange& range) {
           return port >= range.first && port <= range.last;
         });
}

bool Policy::binds_low_ports() const {
  return std::any_of(spec_.listen.begin(), spec_.listen.end(),
                     [](const PortRange& range) { return range.first < kFirstUnprivileged; });
}

bool Policy::may_send_query(std::span<const std::byte> bytes, Transport transport) const {
  if (spec_.mode == Mode::All) {
    return true;
  }
  if (transport == Transport::Tcp) {
    const auto message = message_in(bytes);
    if (message.empty() || message.size() + 2 != bytes.size()) {
      return false;  // a second message could hide behind the first
    }
    bytes = message;
  }
  const auto names = names_in_query(bytes);
  if (!names) {
    return false;
  }
  const auto listed = [this](const std::string& name) { return is_listed_name(name); };
  return spec_.mode == Mode::Allow ? std::all_of(names->begin(), names->end(), listed)
                                   : std::none_of(names->begin(), names->end(), listed);
}

void Policy::learn(const Endpoint& from, std::span<const std::byte> bytes, Transport transport) {
  if (spec_.mode != Mode::Allow || !is_known_resolver(from, resolver_)) {
    return;
  }
  const auto answer = parse_answer(transport == Transport::Tcp ? message_in(bytes) : bytes);
  if (answer && is_listed_name(answer->name)) {
    add(answer->name, answer->addresses);
  }
}

}  // namespace runhl::vmm::net
