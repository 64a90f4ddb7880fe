// SPDX-License-Identifier: Apache-2.0
// G1's net_* tools: calls that wait, over the same sockets and the same policy as later
// generations' functions. Names, limits and messages are those of upstream's host of that time;
// this one also keeps the guest from the host's loopback under names that upstream's does not know
// it by, and from sending other than questions to port 53 under a list.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>

#include "hyperlight/host_sockets.h"
#include "hyperlight/json_tools.h"
#include "runhl/vmm/net/policy.h"

namespace runhl::vmm::hyperlight {

class SocketTools {
 public:
  /// `stopped`: a call that waits ends soon after it says so. `policy` may be null: no sockets.
  SocketTools(HostSockets* sockets, net::Policy* policy, std::function<bool()> stopped)
      : sockets_(sockets), policy_(policy), stopped_(std::move(stopped)) {}

  using Text = Result<std::string>;
  Text create(const ToolArguments& args);
  Text connect(const ToolArguments& args);
  Text bind(const ToolArguments& args);
  Text listen(const ToolArguments& args);
  Text accept(const ToolArguments& args);
  Text send(const ToolArguments& args);
  Text send_to(const ToolArguments& args);
  Text receive(const ToolArguments& args);
  Text receive_from(const ToolArguments& args);
  Text close(const ToolArguments& args);
  Text shutdown(const ToolArguments& args);
  Text set_option(const ToolArguments& args);
  Text option(const ToolArguments& args);
  Text peer_name(const ToolArguments& args);
  Text own_name(const ToolArguments& args);

 private:
  struct Found {
    std::uint64_t number = 0;  ///< the guest's
    int socket = -1;           ///< of HostSockets
  };
  [[nodiscard]] Result<Found> find(const ToolArguments& args) const;
  Result<std::uint64_t> add(int socket);
  Result<void> check_destination(const net::Endpoint& to, bool stream);
  [[nodiscard]] Result<void> check_bind(std::uint16_t port) const;
  Result<int> until_ready(int socket, short events, const std::function<int()>& call);
  Result<std::string> received(const ToolArguments& args, bool with_source);
  Result<std::string> sent(const Found& found, const std::function<int()>& call);

  HostSockets* sockets_;
  net::Policy* policy_;
  std::function<bool()> stopped_;
  std::map<std::uint64_t, int> numbers_;
  std::uint64_t next_ = 1;  // a number is never used again
};

/// `sockets` outlives them.
void add_socket_tools(JsonTools* tools, SocketTools* sockets);

}  // namespace runhl::vmm::hyperlight
