// SPDX-License-Identifier: Apache-2.0
#include "lifecycle/setup_channel.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <span>

namespace runhl::shim {
namespace {

struct Header {
  SetupStep step{};
  std::uint32_t code = 0;
  std::int32_t os_errno = 0;
};
constexpr std::size_t kMaxText = 8192;
constexpr const char* kPeerEnded = "the container's monitor ended during set-up (killed?)";

}  // namespace

Result<std::pair<SetupChannel, SetupChannel>> SetupChannel::create() {
  std::array<int, 2> fds{-1, -1};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds.data()) != 0) {
    return fail_errno("socketpair");
  }
  return std::pair(SetupChannel(UniqueFd(fds[0])), SetupChannel(UniqueFd(fds[1])));
}

Result<void> SetupChannel::send(SetupStep step, const std::string& text) {
  return send(step, ErrorCode::Internal, 0, text);
}

Result<void> SetupChannel::send_failure(const Error& error) {
  return send(SetupStep::Failed, error.code, error.os_errno, error.message);
}

Result<void> SetupChannel::send(SetupStep step, ErrorCode code, int os_errno,
                                const std::string& text) {
  Header header{.step = step, .code = static_cast<std::uint32_t>(code), .os_errno = os_errno};
  // SAFETY: the host only reads what it sends; its interface has no const.
  std::array<iovec, 2> parts{{{&header, sizeof(header)},
                              {const_cast<char*>(text.data()), std::min(text.size(), kMaxText)}}};
  msghdr message{};
  message.msg_iov = parts.data();
  message.msg_iovlen = parts.size();
  if (::sendmsg(fd_.get(), &message, MSG_NOSIGNAL) >= 0) {
    return {};
  }
  if (errno != EPIPE && errno != ECONNRESET) {
    return fail_errno("setup channel");
  }
  // The peer is gone; its last message may still say why.
  const Result<Message> last = receive();
  return last ? fail(ErrorCode::Io, kPeerEnded) : tl::unexpected(last.error());
}

Result<SetupChannel::Message> SetupChannel::receive() {
  // Nearly all messages are a header: the rest of this is not worth a page fault or clearing.
  __attribute__((uninitialized)) std::array<std::byte, sizeof(Header) + kMaxText> buffer;
  ssize_t got = 0;
  // ECONNRESET says, once, that the peer ended without having read all of ours; what it sent before
  // is still there.
  do {
    got = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
  } while (got < 0 && (errno == EINTR || errno == ECONNRESET));
  if (got < 0) {
    return fail_errno("setup channel");
  }
  const auto size = static_cast<std::size_t>(got);
  Header header;
  if (size < sizeof(header)) {
    return fail(ErrorCode::Io, kPeerEnded);
  }
  std::memcpy(&header, buffer.data(), sizeof(header));
  // SAFETY: bytes as characters, within what was received.
  std::string text(reinterpret_cast<const char*>(buffer.data()) + sizeof(header),
                   size - sizeof(header));
  if (header.step == SetupStep::Failed) {
    const auto last = static_cast<std::uint32_t>(ErrorCode::Internal);
    return tl::unexpected(Error{static_cast<ErrorCode>(std::min(header.code, last)),
                                header.os_errno, std::move(text)});
  }
  return Message{.step = header.step, .text = std::move(text)};
}

Result<std::string> SetupChannel::expect(SetupStep step) {
  Message message = TRY(receive());
  if (message.step != step) {
    return fail(ErrorCode::Internal, "set-up messages out of order");
  }
  return std::move(message.text);
}

}  // namespace runhl::shim
