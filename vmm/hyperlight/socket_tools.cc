// SPDX-License-Identifier: Apache-2.0
#include "hyperlight/socket_tools.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <string>
#include <utility>

#include "hyperlight/base64.h"
#include "runhl/base/file_io.h"

namespace runhl::vmm::hyperlight {
namespace {

using std::chrono::milliseconds;
using Text = Result<std::string>;

constexpr std::size_t kMost = 1024;
constexpr std::uint16_t kDns = 53;
constexpr std::uint64_t kMaxSent = 1U << 20U;
constexpr std::uint64_t kMaxReceived = 65536, kDefaultReceived = 4096;
constexpr milliseconds kPatience(30'000), kPiece(100);

tl::unexpected<Error> refuse(std::string what) {
  return fail(ErrorCode::InvalidArgument, std::move(what));
}

tl::unexpected<Error> missing(const char* key) {
  return refuse(std::string("missing '") + key + "'");
}

/// Guests tell errors apart by words, and for these the host's text has none that they know.
std::string kind_of(int os_errno) {
  switch (os_errno) {
    case EADDRINUSE:
      return "AddrInUse: ";
    case EADDRNOTAVAIL:
      return "AddrNotAvail: ";
    case EAGAIN:
      return "WouldBlock: ";
    case ENOTCONN:
      return "NotConnected: ";
    default:
      return "";
  }
}

/// `result`: as HostSockets gives it.
tl::unexpected<Error> failed(int result) {
  return fail(ErrorCode::Io, kind_of(-result) + os_text(-result));
}

Text done(int result) {
  return result < 0 ? Text(failed(result)) : Text(ToolResult().take());
}

struct Peer {
  int family = 0;
  std::string address;
  std::uint16_t port = 0;
};

/// Of HostSockets' replies: a status, an address, data.
class ReplyReader {
 public:
  explicit ReplyReader(Bytes bytes) : bytes_(std::move(bytes)) {}
  template <typename T>
  T take() {
    T value{};
    RUNHL_CHECK(bytes_.size() - at_ >= sizeof value);  // our own encoder's
    std::memcpy(&value, bytes_.data() + at_, sizeof value);
    at_ += sizeof value;
    return value;
  }
  Peer take_peer() {
    Peer peer;
    peer.family = take<std::int32_t>();
    peer.port = take<std::uint16_t>();
    const auto size = take<std::uint8_t>();
    net::Address address;
    address.v6 = peer.family == AF_INET6;
    RUNHL_CHECK(size <= address.bytes.size() && bytes_.size() - at_ >= size);
    std::memcpy(address.bytes.data(), bytes_.data() + at_, size);
    at_ += size;
    peer.address = size == 0 ? std::string() : to_string(address);
    return peer;
  }
  [[nodiscard]] std::string_view rest() const { return as_text(std::span(bytes_)).substr(at_); }

 private:
  Bytes bytes_;
  std::size_t at_ = 0;
};

/// An address and a port among the arguments. Ports are cut to 16 bits, as upstream's are.
struct Destination {
  net::Endpoint endpoint;
  GuestAddress guest;
};
Result<Destination> destination_of(const ToolArguments& args) {
  const std::optional<std::string> text = args.text("addr");
  if (!text) {
    return missing("addr");
  }
  const std::optional<net::Address> address = net::parse_address(*text);
  if (!address) {
    return refuse("bad addr: invalid IP address syntax");
  }
  Destination to;
  to.endpoint = {*address, static_cast<std::uint16_t>(args.number("port").value_or(0))};
  to.guest.family = text->find(':') == std::string::npos ? AF_INET : AF_INET6;
  to.guest.text = *text;
  to.guest.port = to.endpoint.port;
  return to;
}

std::string shown(const net::Endpoint& to) {
  const std::string address = to_string(to.address);
  return (to.address.v6 ? "[" + address + "]" : address) + ":" + std::to_string(to.port);
}

net::Address network(const char* text) {
  return net::parse_address(text).value_or(net::Address());  // a literal of ours
}

bool is_link_local(const net::Address& address) {
  return is_within(address, network("169.254.0.0"), 16) ||
         is_within(address, network("fe80::"), 10);
}

/// The any-address, too: the host takes it for itself.
bool is_loopback(const net::Address& address) {
  return is_within(address, network("127.0.0.0"), 8) ||
         is_within(address, network("0.0.0.0"), 32) || is_within(address, network("::1"), 128) ||
         is_within(address, network("::"), 128);
}

Result<Bytes> data_of(const ToolArguments& args) {
  const std::optional<std::string> data = args.text("data");
  if (!data) {
    return missing("data");
  }
  const std::string bytes = TRY(with_context("base64 decode", from_base64(*data)));
  if (bytes.size() > kMaxSent) {
    return refuse("net_send: payload too large (" + std::to_string(bytes.size()) + " bytes, max " +
                  std::to_string(kMaxSent) + ")");
  }
  const auto raw = std::as_bytes(std::span(bytes));
  return Bytes(raw.begin(), raw.end());
}

int number_or(const ToolArguments& args, const char* key, int otherwise) {
  return static_cast<int>(args.integer(key).value_or(otherwise));
}

struct ServedOption {
  int level, name;
  bool set;
};
constexpr std::array kServed = {
    ServedOption{SOL_SOCKET, SO_REUSEADDR, true}, ServedOption{SOL_SOCKET, SO_KEEPALIVE, true},
    ServedOption{SOL_SOCKET, SO_TYPE, false}, ServedOption{IPPROTO_TCP, TCP_NODELAY, true}};
bool is_served(int level, int name, bool set) {
  return std::any_of(kServed.begin(), kServed.end(), [=](const ServedOption& option) {
    return option.level == level && option.name == name && (option.set || !set);
  });
}

}  // namespace

Result<SocketTools::Found> SocketTools::find(const ToolArguments& args) const {
  const std::optional<std::uint64_t> number = args.number("fd");
  if (!number) {
    return missing("fd");
  }
  const auto found = numbers_.find(*number);
  return found == numbers_.end() ? Result<Found>(refuse("bad_fd: " + std::to_string(*number)))
                                 : Result<Found>(Found{*number, found->second});
}

Result<std::uint64_t> SocketTools::add(int socket) {
  if (socket < 0) {
    return failed(socket);
  }
  numbers_[next_] = socket;
  return next_++;
}

Text SocketTools::create(const ToolArguments& args) {
  const int family = number_or(args, "family", AF_INET),
            type = number_or(args, "type", SOCK_STREAM);
  if (family != AF_INET && family != AF_INET6) {
    return refuse("InvalidInput: unsupported family " + std::to_string(family));
  }
  if (type != SOCK_STREAM && type != SOCK_DGRAM) {
    return refuse("InvalidInput: unsupported type " + std::to_string(type));
  }
  if (sockets_->count() >= kMost) {
    return refuse("socket limit reached (max " + std::to_string(kMost) + ")");
  }
  const std::uint64_t number =
      TRY(add(sockets_->create(family, type, number_or(args, "protocol", 0))));
  return ToolResult().add("fd", number).take();
}

Result<void> SocketTools::check_destination(const net::Endpoint& to, bool stream) {
  const std::string denied = "network policy denies connection to ";
  if (is_link_local(to.address)) {
    return refuse(denied + "link-local address " + shown(to));
  }
  if (is_loopback(to.address)) {
    return refuse(denied + "loopback address " + shown(to));
  }
  return policy_->may_send(to, stream ? net::Transport::Tcp : net::Transport::Udp)
             ? Result<void>()
             : refuse(denied + shown(to));
}

/// `call` anew as often as it would have waited: up to half a minute.
Result<int> SocketTools::until_ready(int socket, short events, const std::function<int()>& call) {
  int result = call();
  for (milliseconds waited{0}; result == -EAGAIN && waited < kPatience; waited += kPiece) {
    if (stopped_()) {
      return fail(ErrorCode::Timeout, "the guest was stopped");
    }
    if (sockets_->wait(socket, events, kPiece)) {
      result = call();
    }
  }
  return result;
}

Text SocketTools::connect(const ToolArguments& args) {
  const Found found = TRY(find(args));
  const Destination to = TRY(destination_of(args));
  const bool stream = sockets_->option(found.socket, SOL_SOCKET, SO_TYPE) == SOCK_STREAM;
  TRY(check_destination(to.endpoint, stream));
  const int begun = sockets_->connect(found.socket, to.guest);
  if (begun != -EINPROGRESS) {
    return done(begun);
  }
  bool waits = true;  // to be told that it is ready once
  const int result = TRY(until_ready(found.socket, POLLOUT, [&] {
    return std::exchange(waits, false) ? -EAGAIN
                                       : -sockets_->option(found.socket, SOL_SOCKET, SO_ERROR);
  }));
  return result == -EAGAIN ? Text(refuse("connection timed out")) : done(result);
}

Result<void> SocketTools::check_bind(std::uint16_t port) const {
  const auto ports = policy_->listen_ports();
  if (ports.empty()) {
    return refuse("Permission denied: no --port specified for bind");
  }
  std::vector<std::pair<std::uint16_t, std::uint16_t>> sorted;
  for (const net::PortRange& range : ports) {
    if (port >= range.first && port <= range.last) {
      return {};
    }
    sorted.emplace_back(range.first, range.last);
  }
  std::sort(sorted.begin(), sorted.end());
  std::string list;
  for (const auto& [first, last] : sorted) {
    list.append(list.empty() ? "" : ", ").append(std::to_string(first));
    list.append(first == last ? "" : "-" + std::to_string(last));
  }
  return refuse("Permission denied: port " + std::to_string(port) + " not in listen allowlist ({" +
                list + "})");
}

Text SocketTools::bind(const ToolArguments& args) {
  const Found found = TRY(find(args));
  const Result<Destination> at = destination_of(args);
  if (at || args.text("addr")) {
    TRY(check_bind(static_cast<std::uint16_t>(args.number("port").value_or(0))));
  }
  const Destination checked = TRY(Result<Destination>(at));
  return done(sockets_->bind(found.socket, checked.guest));
}

Text SocketTools::listen(const ToolArguments& args) {
  const Found found = TRY(find(args));
  return done(sockets_->listen(found.socket, number_or(args, "backlog", 128)));
}

Text SocketTools::accept(const ToolArguments& args) {
  const Found found = TRY(find(args));
  Peer peer;
  const int socket = TRY(until_ready(found.socket, POLLIN, [&] {
    ReplyReader reply(sockets_->accept(found.socket));
    const auto status = reply.take<std::int32_t>();
    peer = status < 0 ? Peer() : reply.take_peer();
    return status;
  }));
  const std::uint64_t number = TRY(add(socket));
  return ToolResult()
      .add("fd", number)
      .add("addr", peer.address)
      .add("port", std::uint64_t{peer.port})
      .take();
}

Text SocketTools::sent(const Found& found, const std::function<int()>& call) {
  const int result = TRY(until_ready(found.socket, POLLOUT, call));
  return result < 0 ? Text(failed(result))
                    : Text(ToolResult().add("sent", static_cast<std::uint64_t>(result)).take());
}

Text SocketTools::send(const ToolArguments& args) {
  const Found found = TRY(find(args));
  const Bytes data = TRY(data_of(args));
  return sent(found, [&] { return sockets_->send(found.socket, data); });
}

Text SocketTools::send_to(const ToolArguments& args) {
  const Found found = TRY(find(args));
  const Bytes data = TRY(data_of(args));
  const Destination to = TRY(destination_of(args));
  const bool stream = sockets_->option(found.socket, SOL_SOCKET, SO_TYPE) == SOCK_STREAM;
  TRY(check_destination(to.endpoint, stream));
  if (!stream && to.endpoint.port == kDns && !policy_->may_send_query(data, net::Transport::Udp)) {
    return refuse("network policy denies what is not a question for a listed name to " +
                  shown(to.endpoint));
  }
  return sent(found, [&] { return sockets_->send_to(found.socket, data, to.guest); });
}

Text SocketTools::received(const ToolArguments& args, bool with_source) {
  const Found found = TRY(find(args));
  const std::uint64_t length =
      std::min(args.number("len").value_or(kDefaultReceived), kMaxReceived);
  Peer source;
  std::string data;
  const int result = length == 0 ? 0 : TRY(until_ready(found.socket, POLLIN, [&] {
    ReplyReader reply(sockets_->receive(found.socket, static_cast<int>(length)));
    const auto status = reply.take<std::int32_t>();
    if (status >= 0) {
      source = reply.take_peer();
      data = reply.rest();
    }
    return status;
  }));
  if (result < 0) {
    return failed(result);
  }
  ToolResult answer;
  answer.add("data", to_base64(data)).add("len", std::uint64_t{data.size()});
  if (with_source && source.family != 0) {
    answer.add("addr", source.address).add("port", std::uint64_t{source.port});
  }
  return answer.take();
}

Text SocketTools::receive(const ToolArguments& args) {
  return received(args, false);
}

Text SocketTools::receive_from(const ToolArguments& args) {
  return received(args, true);
}

Text SocketTools::close(const ToolArguments& args) {
  const Found found = TRY(find(args));
  numbers_.erase(found.number);
  return done(sockets_->close(found.socket));
}

Text SocketTools::shutdown(const ToolArguments& args) {
  const Found found = TRY(find(args));
  return done(sockets_->shutdown(found.socket, number_or(args, "how", SHUT_RDWR)));
}

Text SocketTools::set_option(const ToolArguments& args) {
  const Found found = TRY(find(args));
  const int level = number_or(args, "level", 0), name = number_or(args, "optname", 0);
  return is_served(level, name, true)
             ? done(sockets_->set_option(found.socket, level, name, number_or(args, "value", 0)))
             : Text(ToolResult().take());
}

Text SocketTools::option(const ToolArguments& args) {
  const Found found = TRY(find(args));
  const int level = number_or(args, "level", 0), name = number_or(args, "optname", 0);
  const int value = is_served(level, name, false) ? sockets_->option(found.socket, level, name) : 0;
  return value < 0 ? Text(failed(value))
                   : Text(ToolResult().add("value", static_cast<std::uint64_t>(value)).take());
}

namespace {

Text name_text(Bytes bytes) {
  ReplyReader reply(std::move(bytes));
  const auto status = reply.take<std::int32_t>();
  if (status < 0) {
    return failed(status);
  }
  const Peer peer = reply.take_peer();
  return ToolResult()
      .add("family", static_cast<std::uint64_t>(peer.family))
      .add("addr", peer.address)
      .add("port", std::uint64_t{peer.port})
      .take();
}

}  // namespace

Text SocketTools::peer_name(const ToolArguments& args) {
  return name_text(sockets_->peer_name(TRY(find(args)).socket));
}

Text SocketTools::own_name(const ToolArguments& args) {
  return name_text(sockets_->own_name(TRY(find(args)).socket));
}

void add_socket_tools(JsonTools* tools, SocketTools* sockets) {
  using Run = Text (SocketTools::*)(const ToolArguments&);
  constexpr std::pair<const char*, Run> kTools[] = {{"net_socket", &SocketTools::create},
                                                    {"net_connect", &SocketTools::connect},
                                                    {"net_bind", &SocketTools::bind},
                                                    {"net_listen", &SocketTools::listen},
                                                    {"net_accept", &SocketTools::accept},
                                                    {"net_send", &SocketTools::send},
                                                    {"net_sendto", &SocketTools::send_to},
                                                    {"net_recv", &SocketTools::receive},
                                                    {"net_recvfrom", &SocketTools::receive_from},
                                                    {"net_close", &SocketTools::close},
                                                    {"net_shutdown", &SocketTools::shutdown},
                                                    {"net_setsockopt", &SocketTools::set_option},
                                                    {"net_getsockopt", &SocketTools::option},
                                                    {"net_getpeername", &SocketTools::peer_name},
                                                    {"net_getsockname", &SocketTools::own_name}};
  for (const auto& [name, serve] : kTools) {
    tools->add(name,
               [sockets, run = serve](const ToolArguments& args) { return (sockets->*run)(args); });
  }
}

}  // namespace runhl::vmm::hyperlight
