// SPDX-License-Identifier: Apache-2.0
// What a guest sends to port 53 and what comes back, and the words of a policy. The first byte says
// which; whatever is learned, the loopback and the link's own addresses stay closed.
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string_view>

#include "net/dns.h"
#include "runhl/vmm/net/policy.h"

namespace {

using namespace runhl;
using namespace runhl::vmm::net;

constexpr std::string_view kName = "a.test";

Policy policy_of(Mode mode) {
  PolicySpec spec;
  spec.mode = mode;
  spec.targets = {*parse_target(kName), *parse_target("10.0.0.0/8:80")};
  return *Policy::create(std::move(spec), Resolver("10.1.1.1 a.test", "nameserver 10.255.255.53"));
}

void must_hold(bool condition) {
  if (!condition) {
    std::abort();
  }
}

void query(std::span<const std::byte> bytes, Transport transport) {
  const Policy allow = policy_of(Mode::Allow), block = policy_of(Mode::Block);
  // One list's yes is the other's no.
  must_hold(!(allow.may_send_query(bytes, transport) && block.may_send_query(bytes, transport)));
  const auto names = names_in_query(bytes);
  must_hold(!names || !names->empty());
}

void answer(std::span<const std::byte> bytes, Transport transport) {
  Policy policy = policy_of(Mode::Allow);
  policy.learn({*parse_address("10.255.255.53"), 53}, bytes, transport);
  for (const char* closed : {"127.0.0.1", "::1", "0.0.0.0", "169.254.169.254", "fe80::1"}) {
    must_hold(!policy.may_send({*parse_address(closed), 80}, Transport::Tcp));
  }
  (void)policy.may_send({*parse_address("10.77.0.1"), 443}, Transport::Udp);
}

void words(std::string_view text) {
  const Result<Target> target = parse_target(text);
  if (target) {
    must_hold(target->name.empty() || canonical_name(target->name) == target->name);
    must_hold(target->prefix <= 128);
  }
  const Result<PortRange> range = parse_port_range(text);
  must_hold(!range || (range->first >= 1 && range->first <= range->last));
  const Resolver resolver(text, text);
  must_hold(resolver.servers().size() <= 3);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) {
    return 0;
  }
  const auto bytes = std::as_bytes(std::span(data, size)).subspan(1);
  const Transport transport = (data[0] & 0x10U) != 0 ? Transport::Tcp : Transport::Udp;
  switch (data[0] % 3) {
    case 0:
      query(bytes, transport);
      break;
    case 1:
      answer(bytes, transport);
      break;
    default:
      words({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  }
  return 0;
}
