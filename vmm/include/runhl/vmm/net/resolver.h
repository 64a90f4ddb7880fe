// SPDX-License-Identifier: Apache-2.0
// Names to addresses: the host's /etc/hosts, then its name servers, over UDP. libc's own resolver
// loads libraries and reads files at each question, neither of which a jailed process can.
//
//   const Resolver resolver = Resolver::of_host();                       // before the jail
//   const auto addresses = TRY(resolver.look_up("example.com", 5s));     // also within
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "runhl/base/result.h"
#include "runhl/vmm/net/address.h"

namespace runhl::vmm::net {

class Resolver {
 public:
  /// Texts as of /etc/hosts and /etc/resolv.conf; what is odd in them is passed over.
  Resolver(std::string_view hosts, std::string_view resolv_conf);
  /// Asks these and knows no other names.
  explicit Resolver(std::vector<Endpoint> servers) : servers_(std::move(servers)) {}
  static Resolver of_host();

  /// At least one address. NotFound: no such name; Timeout: nobody answered.
  /// @param name canonical
  [[nodiscard]] Result<std::vector<Address>> look_up(const std::string& name,
                                                     std::chrono::milliseconds most) const;
  [[nodiscard]] const std::vector<Endpoint>& servers() const { return servers_; }

 private:
  using Clock = std::chrono::steady_clock;
  [[nodiscard]] Result<std::vector<Address>> ask(const std::string& name,
                                                 Clock::time_point deadline) const;

  std::multimap<std::string, Address, std::less<>> hosts_;
  std::vector<Endpoint> servers_;
  std::vector<std::string> search_;  ///< domains for names without a dot
};

}  // namespace runhl::vmm::net
