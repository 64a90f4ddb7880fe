// SPDX-License-Identifier: Apache-2.0
// Sockets of an upstream guest: host sockets, each behind a number of the guest's, and a policy
// that is asked before anything is connected, sent or bound. No call here waits: what would gives
// EAGAIN or EINPROGRESS, and the set of what the guest waits for is kept for its sleep.
//
// Results are Linux's numbers: 0 or more, or -errno. Replies begin with one.
#pragma once

#include <poll.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "hyperlight/codec.h"
#include "hyperlight/host_functions.h"
#include "runhl/base/unique_fd.h"
#include "runhl/vmm/net/policy.h"

namespace runhl::vmm::hyperlight {

/// As the guest names one: a literal of its family.
struct GuestAddress {
  std::int32_t family = 0;
  std::string text;
  std::int32_t port = 0;
};

class HostSockets {
 public:
  /// `policy` may be null: there are no sockets then.
  explicit HostSockets(net::Policy* policy) : policy_(policy) {}

  std::int32_t create(int family, int type, int protocol);
  std::int32_t bind(int socket, const GuestAddress& to);
  std::int32_t connect(int socket, const GuestAddress& to);
  std::int32_t listen(int socket, int backlog);
  Bytes accept(int socket);
  std::int32_t send(int socket, const Bytes& bytes);
  std::int32_t send_to(int socket, const Bytes& bytes, const GuestAddress& to);
  Bytes receive(int socket, int length);
  std::int32_t shutdown(int socket, int how);
  std::int32_t disconnect(int socket);
  std::int32_t close(int socket);
  Bytes peer_name(int socket);
  Bytes own_name(int socket);
  std::int32_t option(int socket, int level, int name);
  std::int32_t set_option(int socket, int level, int name, int value);
  Bytes poll(const Bytes& entries, int timeout);

  /// Until the socket is ready for `events`, or the time is over. For guests whose calls wait.
  [[nodiscard]] bool wait(int socket, short events, std::chrono::milliseconds most);
  [[nodiscard]] std::size_t count() const { return sockets_.size(); }
  /// Some socket is waited for: a guest without a timer may sleep.
  [[nodiscard]] bool waits() const;
  /// Until one of them is ready: true. False: the time is over, or a signal came.
  [[nodiscard]] bool sleep(std::chrono::nanoseconds most) const;

 private:
  struct Socket {
    UniqueFd fd;
    bool stream = false;
    std::optional<net::Endpoint> peer;  ///< where connect() was told to lead
    short awaited = 0;                  ///< POLLIN, POLLOUT
  };
  Socket* find(int socket);
  /// Under the lowest free number. -EMFILE: too many.
  std::int32_t add(Socket socket);
  [[nodiscard]] static net::Transport transport_of(const Socket& socket);
  /// What a guest is told of a call that was to send; one that would have waited is waited for.
  static std::int32_t sent(Socket* socket, long call);

  net::Policy* policy_;
  std::map<int, Socket> sockets_;
};

/// The net_* functions. `sockets` outlives them.
void add_socket_functions(HostFunctions* functions, HostSockets* sockets);

}  // namespace runhl::vmm::hyperlight
