// SPDX-License-Identifier: Apache-2.0
#include "hyperlight/host_sockets.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "hyperlight/reply.h"
#include "runhl/abi/hyperlight.h"

namespace runhl::vmm::hyperlight {
namespace {

constexpr int kFirst = 3;
constexpr std::size_t kMost = 1024;
constexpr int kTypeMask = 0xff;
constexpr std::uint16_t kDns = 53;
// A reply's status and source come before the data.
constexpr std::size_t kAddressSize = 4 + 2 + 1 + 16;
constexpr std::size_t kMostReceived = abi::hyperlight::kMaxPayload - 4 - kAddressSize;
constexpr short kBoth = POLLIN | POLLOUT;
constexpr int kNoWait = MSG_NOSIGNAL | MSG_DONTWAIT;

std::int32_t result_of(long call) {
  return call < 0 ? -errno : static_cast<std::int32_t>(call);
}

/// i32 family, u16 port, u8 length, bytes; none: zeros.
void add_address(Reply* reply, const net::SocketAddress& address) {
  if (address.storage.ss_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, &address.storage, sizeof v4);
    reply->add(std::int32_t{AF_INET}).add(ntohs(v4.sin_port));
    reply->add(std::uint8_t{sizeof v4.sin_addr}).add(v4.sin_addr);
  } else if (address.storage.ss_family == AF_INET6) {
    sockaddr_in6 v6{};
    std::memcpy(&v6, &address.storage, sizeof v6);
    reply->add(std::int32_t{AF_INET6}).add(ntohs(v6.sin6_port));
    reply->add(std::uint8_t{sizeof v6.sin6_addr}).add(v6.sin6_addr);
  } else {
    reply->add(std::int32_t{0}).add(std::uint16_t{0}).add(std::uint8_t{0});
  }
}

using NameCall = int (*)(int, sockaddr*, socklen_t*);

Bytes name_reply(int fd, NameCall call) {
  net::SocketAddress address;
  address.size = sizeof address.storage;
  if (call(fd, address.get(), &address.size) != 0) {
    return Reply(-errno).take();
  }
  Reply reply(0);
  add_address(&reply, address);
  return reply.take();
}

enum class Served : std::uint8_t { No, Read, Both, Nothing };  // Nothing: accepted, and reads as 0

struct OptionRow {
  int level, name;
  Served served;
};
constexpr std::array kOptions = {
    OptionRow{SOL_SOCKET, SO_REUSEADDR, Served::Both},
    OptionRow{SOL_SOCKET, SO_TYPE, Served::Read},
    OptionRow{SOL_SOCKET, SO_ERROR, Served::Read},
    OptionRow{SOL_SOCKET, SO_BROADCAST, Served::Both},
    OptionRow{SOL_SOCKET, SO_SNDBUF, Served::Both},
    OptionRow{SOL_SOCKET, SO_RCVBUF, Served::Both},
    OptionRow{SOL_SOCKET, SO_KEEPALIVE, Served::Both},
    OptionRow{SOL_SOCKET, SO_OOBINLINE, Served::Both},
    OptionRow{SOL_SOCKET, SO_REUSEPORT, Served::Both},
    OptionRow{SOL_SOCKET, SO_ACCEPTCONN, Served::Read},
    OptionRow{SOL_SOCKET, SO_PROTOCOL, Served::Read},
    OptionRow{SOL_SOCKET, SO_DOMAIN, Served::Read},
    OptionRow{IPPROTO_IP, IP_TOS, Served::Both},
    OptionRow{IPPROTO_IP, IP_TTL, Served::Both},
    OptionRow{IPPROTO_IP, IP_MULTICAST_TTL, Served::Both},
    OptionRow{IPPROTO_IP, IP_MULTICAST_LOOP, Served::Both},
    OptionRow{IPPROTO_IP, IP_RECVERR, Served::Nothing},
    OptionRow{IPPROTO_TCP, TCP_NODELAY, Served::Both},
    OptionRow{IPPROTO_TCP, TCP_KEEPIDLE, Served::Both},
    OptionRow{IPPROTO_TCP, TCP_KEEPINTVL, Served::Both},
    OptionRow{IPPROTO_TCP, TCP_KEEPCNT, Served::Both},
    OptionRow{IPPROTO_IPV6, IPV6_UNICAST_HOPS, Served::Both},
    OptionRow{IPPROTO_IPV6, IPV6_MULTICAST_LOOP, Served::Both},
    OptionRow{IPPROTO_IPV6, IPV6_V6ONLY, Served::Both},
    OptionRow{IPPROTO_IPV6, IPV6_RECVERR, Served::Nothing},
};

Served served(int level, int name) {
  const auto* const row = std::find_if(
      kOptions.begin(), kOptions.end(),
      [=](const OptionRow& option) { return option.level == level && option.name == name; });
  return row == kOptions.end() ? Served::No : row->served;
}

/// Their values are structures, which an int cannot carry.
bool is_structured(int level, int name) {
  return level == SOL_SOCKET && (name == SO_LINGER || name == SO_RCVTIMEO || name == SO_SNDTIMEO);
}

bool is_served(int type, int protocol) {
  return protocol == 0 || protocol == (type == SOCK_STREAM ? IPPROTO_TCP : IPPROTO_UDP);
}

}  // namespace

HostSockets::Socket* HostSockets::find(int socket) {
  const auto found = sockets_.find(socket);
  return found == sockets_.end() ? nullptr : &found->second;
}

std::int32_t HostSockets::add(Socket socket) {
  int number = kFirst;
  for (const auto& [taken, unused] : sockets_) {
    if (taken != number) {
      break;
    }
    ++number;
  }
  sockets_.emplace(number, std::move(socket));
  return number;
}

net::Transport HostSockets::transport_of(const Socket& socket) {
  return socket.stream ? net::Transport::Tcp : net::Transport::Udp;
}

std::int32_t HostSockets::create(int family, int type, int protocol) {
  if (policy_ == nullptr) {
    return -EACCES;
  }
  if (family != AF_INET && family != AF_INET6) {
    return -EAFNOSUPPORT;
  }
  const int kind = type & kTypeMask;
  if (kind != SOCK_STREAM && kind != SOCK_DGRAM) {
    return -EPROTONOSUPPORT;
  }
  if (protocol < 0) {
    return -EINVAL;
  }
  if (!is_served(kind, protocol)) {
    return -EPROTONOSUPPORT;
  }
  if (sockets_.size() >= kMost) {
    return -EMFILE;
  }
  Socket socket;
  socket.fd.reset(::socket(family, kind | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol));
  socket.stream = kind == SOCK_STREAM;
  return socket.fd ? add(std::move(socket)) : -errno;
}

std::int32_t HostSockets::bind(int socket, const GuestAddress& to) {
  const Socket* const found = find(socket);
  if (found == nullptr) {
    return -EBADF;
  }
  const auto address = net::socket_address(to.family, to.text, to.port);
  if (!address) {
    return -EINVAL;
  }
  if (!policy_->may_bind(static_cast<std::uint16_t>(to.port))) {
    return -EACCES;
  }
  return result_of(::bind(found->fd.get(), address->get(), address->size));
}

std::int32_t HostSockets::connect(int socket, const GuestAddress& to) {
  Socket* const found = find(socket);
  if (found == nullptr) {
    return -EBADF;
  }
  const auto address = net::socket_address(to.family, to.text, to.port);
  if (!address) {
    return -EINVAL;
  }
  const net::Endpoint endpoint = net::endpoint_of(*address);
  if (!policy_->may_send(endpoint, transport_of(*found))) {
    return -EACCES;
  }
  const std::int32_t result = result_of(::connect(found->fd.get(), address->get(), address->size));
  if (result == 0 || result == -EINPROGRESS) {
    found->peer = endpoint;
  }
  return result;
}

std::int32_t HostSockets::listen(int socket, int backlog) {
  const Socket* const found = find(socket);
  return found == nullptr ? -EBADF : result_of(::listen(found->fd.get(), backlog));
}

Bytes HostSockets::accept(int socket) {
  const Socket* const found = find(socket);
  if (found == nullptr || sockets_.size() >= kMost) {
    return Reply(found == nullptr ? -EBADF : -EMFILE).take();
  }
  net::SocketAddress peer;
  peer.size = sizeof peer.storage;
  Socket accepted;
  accepted.stream = true;
  accepted.fd.reset(
      ::accept4(found->fd.get(), peer.get(), &peer.size, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!accepted.fd) {
    return Reply(-errno).take();
  }
  Reply reply(add(std::move(accepted)));
  add_address(&reply, peer);
  return reply.take();
}

std::int32_t HostSockets::sent(Socket* socket, long call) {
  const std::int32_t result = result_of(call);
  if (result == -EAGAIN) {
    socket->awaited |= POLLOUT;
  }
  return result;
}

std::int32_t HostSockets::send(int socket, const Bytes& bytes) {
  Socket* const found = find(socket);
  if (found == nullptr) {
    return -EBADF;
  }
  if (found->peer && found->peer->port == kDns &&
      !policy_->may_send_query(bytes, transport_of(*found))) {
    return -EACCES;
  }
  return sent(found, ::send(found->fd.get(), bytes.data(), bytes.size(), kNoWait));
}

std::int32_t HostSockets::send_to(int socket, const Bytes& bytes, const GuestAddress& to) {
  Socket* const found = find(socket);
  if (found == nullptr) {
    return -EBADF;
  }
  if (found->stream) {
    return send(socket, bytes);
  }
  const auto address = net::socket_address(to.family, to.text, to.port);
  if (!address) {
    return -EINVAL;
  }
  const net::Endpoint endpoint = net::endpoint_of(*address);
  if (!policy_->may_send(endpoint, net::Transport::Udp) ||
      (endpoint.port == kDns && !policy_->may_send_query(bytes, net::Transport::Udp))) {
    return -EACCES;
  }
  return sent(found, ::sendto(found->fd.get(), bytes.data(), bytes.size(), kNoWait, address->get(),
                              address->size));
}

Bytes HostSockets::receive(int socket, int length) {
  const Socket* const found = find(socket);
  if (found == nullptr) {
    return Reply(-EBADF).take();
  }
  Bytes data(
      std::clamp<std::size_t>(length < 0 ? 0 : static_cast<std::size_t>(length), 0, kMostReceived));
  net::SocketAddress source;
  source.size = sizeof source.storage;
  const ssize_t got = ::recvfrom(found->fd.get(), data.data(), data.size(), MSG_DONTWAIT,
                                 source.get(), &source.size);
  if (got < 0) {
    return Reply(-errno).take();
  }
  data.resize(static_cast<std::size_t>(got));
  if (found->stream) {
    source = {};
    if (found->peer) {
      policy_->learn(*found->peer, data, net::Transport::Tcp);
    }
  } else {
    policy_->learn(net::endpoint_of(source), data, net::Transport::Udp);
  }
  Reply reply(static_cast<std::int32_t>(got));
  add_address(&reply, source);
  return reply.add_bytes(data).take();
}

std::int32_t HostSockets::shutdown(int socket, int how) {
  const Socket* const found = find(socket);
  const int direction = how == SHUT_RD || how == SHUT_WR ? how : SHUT_RDWR;
  return found == nullptr ? -EBADF : result_of(::shutdown(found->fd.get(), direction));
}

std::int32_t HostSockets::disconnect(int socket) {
  Socket* const found = find(socket);
  if (found == nullptr) {
    return -EBADF;
  }
  if (found->stream) {
    return -EOPNOTSUPP;
  }
  sockaddr none{};
  none.sa_family = AF_UNSPEC;
  found->peer.reset();
  return result_of(::connect(found->fd.get(), &none, sizeof none));
}

std::int32_t HostSockets::close(int socket) {
  return sockets_.erase(socket) == 0 ? -EBADF : 0;
}

Bytes HostSockets::peer_name(int socket) {
  const Socket* const found = find(socket);
  return found == nullptr
             ? Reply(-EBADF).take()
             : name_reply(found->fd.get(), [](int fd, sockaddr* address, socklen_t* size) {
                 return ::getpeername(fd, address, size);
               });
}

Bytes HostSockets::own_name(int socket) {
  const Socket* const found = find(socket);
  return found == nullptr
             ? Reply(-EBADF).take()
             : name_reply(found->fd.get(), [](int fd, sockaddr* address, socklen_t* size) {
                 return ::getsockname(fd, address, size);
               });
}

std::int32_t HostSockets::option(int socket, int level, int name) {
  const Socket* const found = find(socket);
  if (found == nullptr) {
    return -EBADF;
  }
  switch (served(level, name)) {
    case Served::No:
      return -ENOPROTOOPT;
    case Served::Nothing:
      return 0;
    case Served::Read:
    case Served::Both:
      break;
  }
  int value = 0;
  socklen_t size = sizeof value;
  const int got = ::getsockopt(found->fd.get(), level, name, &value, &size);
  // A negative value would read as an error's number: none of these has one.
  return got != 0 ? -errno : std::max(value, 0);
}

std::int32_t HostSockets::set_option(int socket, int level, int name, int value) {
  const Socket* const found = find(socket);
  if (found == nullptr) {
    return -EBADF;
  }
  if (is_structured(level, name)) {
    return -EINVAL;
  }
  switch (served(level, name)) {
    case Served::No:
    case Served::Read:
      return -ENOPROTOOPT;
    case Served::Nothing:
      return 0;
    case Served::Both:
      break;
  }
  return result_of(::setsockopt(found->fd.get(), level, name, &value, sizeof value));
}

Bytes HostSockets::poll(const Bytes& entries, int timeout) {
  struct Entry {
    std::int32_t socket;
    std::int16_t events, unused;
  };
  if (timeout != 0 || entries.size() % sizeof(Entry) != 0 ||
      entries.size() / sizeof(Entry) > kMost) {
    return Reply(-EINVAL).take();
  }
  std::vector<Entry> asked(entries.size() / sizeof(Entry));
  if (!asked.empty()) {
    std::memcpy(asked.data(), entries.data(), entries.size());
  }
  std::vector<pollfd> polled;
  for (const Entry& entry : asked) {
    const Socket* const found = find(entry.socket);
    polled.push_back({found == nullptr ? -1 : found->fd.get(), entry.events, 0});
  }
  if (::poll(polled.data(), polled.size(), 0) < 0) {
    return Reply(-errno).take();
  }
  std::int32_t ready = 0;
  Reply answers(0);
  for (std::size_t i = 0; i < asked.size(); ++i) {
    Socket* const found = find(asked[i].socket);
    short& got = polled[i].revents;
    if (found == nullptr) {
      got = POLLNVAL;
    } else {
      // After an error reading and writing do not wait.
      const bool broken = (got & (POLLERR | POLLHUP)) != 0;
      got = static_cast<short>(got | ((got & POLLERR) != 0 ? asked[i].events & kBoth : 0));
      const int waits = broken ? 0 : asked[i].events & kBoth & ~got;
      const int settled = broken ? kBoth : asked[i].events & kBoth & got;
      found->awaited = static_cast<short>((found->awaited | waits) & ~settled);
    }
    ready += got != 0 ? 1 : 0;
    answers.add(static_cast<std::int16_t>(got));
  }
  Bytes reply = answers.take();
  std::memcpy(reply.data(), &ready, sizeof ready);
  return reply;
}

bool HostSockets::wait(int socket, short events, std::chrono::milliseconds most) {
  const Socket* const found = find(socket);
  pollfd polled{found == nullptr ? -1 : found->fd.get(), events, 0};
  return ::poll(&polled, 1, static_cast<int>(most.count())) > 0;
}

bool HostSockets::waits() const {
  return std::any_of(sockets_.begin(), sockets_.end(),
                     [](const auto& entry) { return entry.second.awaited != 0; });
}

bool HostSockets::sleep(std::chrono::nanoseconds most) const {
  std::vector<pollfd> awaited;
  for (const auto& [number, socket] : sockets_) {
    if (socket.awaited != 0) {
      awaited.push_back({socket.fd.get(), socket.awaited, 0});
    }
  }
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(most);
  const timespec pause{seconds.count(), (most - seconds).count()};
  return ::ppoll(awaited.data(), awaited.size(), &pause, nullptr) > 0;
}

}  // namespace runhl::vmm::hyperlight
