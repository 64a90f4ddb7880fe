// SPDX-License-Identifier: Apache-2.0
#include "runhl/shim/control.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace runhl::shim {
namespace {

constexpr std::size_t kMaxCallers = 32;

/// The socket's address: its path, or through the directory's descriptor where that is too long
/// for sockaddr_un.
Result<sockaddr_un> address_of(const StateDir& dir) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::string path = dir.path() + "/control.sock";
  if (path.size() >= sizeof(address.sun_path)) {
    path = "/proc/self/fd/" + std::to_string(dir.fd()) + "/control.sock";
  }
  std::copy(path.begin(), path.end(), std::begin(address.sun_path));
  return address;
}

const sockaddr* generic(const sockaddr_un& address) {
  // SAFETY: the socket calls take every family's address by this type.
  return reinterpret_cast<const sockaddr*>(&address);
}

Result<UniqueFd> connect_to(const StateDir& dir) {
  UniqueFd socket{::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  if (!socket) {
    return fail_errno("control socket");
  }
  const sockaddr_un address = TRY(address_of(dir));
  if (::connect(socket.get(), generic(address), sizeof(address)) == 0) {
    return socket;
  }
  if (errno == ECONNREFUSED || errno == ENOENT) {
    return fail(ErrorCode::NotFound, "container not running");
  }
  if (errno == EAGAIN) {  // its queue of callers is full
    return fail(ErrorCode::Timeout, "the container's monitor does not answer");
  }
  return fail_errno("connect to " + dir.path() + "/control.sock");
}

Result<void> send_whole(int fd, std::span<const std::byte> message) {
  const ssize_t sent = ::send(fd, message.data(), message.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent < 0) {
    return fail_errno("send");
  }
  return {};  // SEQPACKET: all or nothing
}

Result<void> wait_readable(int fd, int timeout_ms) {
  pollfd wait{.fd = fd, .events = POLLIN, .revents = 0};
  const int ready = ::poll(&wait, 1, timeout_ms);
  if (ready < 0) {
    return fail_errno("poll");
  }
  if (ready == 0) {
    return fail(ErrorCode::Timeout, "the container's monitor does not answer");
  }
  return {};
}

}  // namespace

Result<ControlRequest> decode_request(std::span<const std::byte> message) {
  ControlRequest request;
  if (message.size() != sizeof(request)) {
    return fail(ErrorCode::InvalidArgument, "control request of a wrong size");
  }
  std::memcpy(&request, message.data(), sizeof(request));
  if (request.magic != kControlMagic || request.version != kControlVersion) {
    return fail(ErrorCode::InvalidArgument, "control request of another version of runhl");
  }
  if (request.operation != ControlOperation::Start &&
      request.operation != ControlOperation::Signal &&
      request.operation != ControlOperation::Stats &&
      request.operation != ControlOperation::SignalAll) {
    return fail(ErrorCode::InvalidArgument, "unknown control operation");
  }
  return request;
}

ControlReply encode_reply(const Result<std::string>& result) {
  ControlReply reply;
  reply.ok = result ? 1 : 0;
  reply.code = result ? 0 : static_cast<std::uint32_t>(result.error().code);
  const std::string& text = result ? *result : result.error().message;
  std::copy_n(text.begin(), std::min(text.size(), ControlReply::kTextBytes - 1), reply.text);
  return reply;
}

Result<std::string> decode_reply(std::span<const std::byte> message) {
  ControlReply reply;
  if (message.size() != sizeof(reply)) {
    return fail(ErrorCode::Io, "the container's monitor ended without an answer");
  }
  std::memcpy(&reply, message.data(), sizeof(reply));
  if (reply.magic != kControlMagic || reply.version != kControlVersion) {
    return fail(ErrorCode::Unsupported, "the container's monitor is of another version of runhl");
  }
  std::string text(reply.text, ::strnlen(reply.text, ControlReply::kTextBytes));
  if (reply.ok != 0) {
    return text;
  }
  const auto last = static_cast<std::uint32_t>(ErrorCode::Internal);
  return fail(static_cast<ErrorCode>(std::min(reply.code, last)), std::move(text));
}

Result<UniqueFd> control_listen(const StateDir& dir) {
  constexpr int kBacklog = 16;
  UniqueFd listener{::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  if (!listener) {
    return fail_errno("control socket");
  }
  const sockaddr_un address = TRY(address_of(dir));
  // The directory is 0700; the mode is for whoever loosens that.
  if (::fchmod(listener.get(), 0600) != 0 ||
      ::bind(listener.get(), generic(address), sizeof(address)) != 0 ||
      ::listen(listener.get(), kBacklog) != 0) {
    return fail_errno(dir.path() + "/control.sock");
  }
  return listener;
}

Result<void> control_call(const StateDir& dir, const ControlRequest& request, int timeout_ms) {
  TRY(control_query(dir, request, timeout_ms));
  return {};
}

Result<std::string> control_query(const StateDir& dir, const ControlRequest& request,
                                  int timeout_ms) {
  const UniqueFd socket = TRY(connect_to(dir));
  TRY(send_whole(socket.get(), std::as_bytes(std::span(&request, 1))));
  TRY(wait_readable(socket.get(), timeout_ms));
  std::array<std::byte, sizeof(ControlReply)> message{};
  const ssize_t got = ::recv(socket.get(), message.data(), message.size(), 0);
  if (got < 0 && errno != ECONNRESET) {
    return fail_errno("receive from the container's monitor");
  }
  return decode_reply(std::span(message).first(static_cast<std::size_t>(got < 0 ? 0 : got)));
}

Result<ProcessIdentity> control_peer(const StateDir& dir) {
  const UniqueFd socket = TRY(connect_to(dir));
  ucred peer{};  // of the process that called listen(2)
  socklen_t size = sizeof(peer);
  if (::getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) {
    return fail_errno("SO_PEERCRED");
  }
  const ProcessIdentity identity = TRY(identify_process(peer.pid));
  // Only the monitor holds the listener: while our connection is not hung up, the pid is still its.
  pollfd check{.fd = socket.get(), .events = 0, .revents = 0};
  if (::poll(&check, 1, 0) != 0) {
    return fail(ErrorCode::NotFound, "container not running");
  }
  return identity;
}

ControlServer::ControlServer(UniqueFd listener, EventLoop& loop, Handler handler)
    : listener_(std::move(listener)), loop_(loop), handler_(std::move(handler)) {}

Result<std::unique_ptr<ControlServer>> ControlServer::create(UniqueFd listener, EventLoop& loop,
                                                             Handler handler) {
  auto server = std::unique_ptr<ControlServer>(
      new ControlServer(std::move(listener), loop, std::move(handler)));
  TRY(loop.add(server->listener_.get(), EPOLLIN,
               [raw = server.get()](std::uint32_t) { raw->accept_caller(); }));
  return server;
}

ControlServer::~ControlServer() {
  for (const auto& [fd, owner] : callers_) {
    loop_.remove(fd);
  }
  loop_.remove(listener_.get());
}

void ControlServer::accept_caller() {
  UniqueFd caller{::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)};
  if (!caller || callers_.size() >= kMaxCallers) {
    return;  // who connects and says nothing is not waited for; the connection is closed
  }
  const int fd = caller.get();
  if (loop_.add(fd, EPOLLIN, [this, fd](std::uint32_t) { serve_caller(fd); })) {
    callers_[fd] = std::move(caller);
  }
}

void ControlServer::serve_caller(int fd) {
  std::array<std::byte, sizeof(ControlRequest) + 1> message{};  // one more: too long is seen
  const ssize_t got = ::recv(fd, message.data(), message.size(), MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
    return;
  }
  if (got <= 0) {
    dismiss(fd);
    return;
  }
  loop_.remove(fd);  // what it says more is not heard; its number is taken until it is answered
  const auto request = decode_request(std::span(message).first(static_cast<std::size_t>(got)));
  if (!request) {
    answer(fd, tl::unexpected(request.error()));
    return;
  }
  handler_(*request, [this, fd](const Result<std::string>& result) { answer(fd, result); });
}

void ControlServer::answer(int fd, const Result<std::string>& result) {
  const ControlReply reply = encode_reply(result);
  (void)send_whole(fd, std::as_bytes(std::span(&reply, 1)));  // the caller may be gone
  dismiss(fd);
}

void ControlServer::dismiss(int fd) {
  loop_.remove(fd);
  callers_.erase(fd);
}

}  // namespace runhl::shim
