// SPDX-License-Identifier: Apache-2.0
#include "runhl/vmm/upstream/guest_channel.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "runhl/base/one_line.h"

namespace runhl::vmm::upstream {
namespace {

struct Header {
  std::uint32_t step = 0, code = 0;
  std::int32_t status = 0;
};

tl::unexpected<Error> broken() {
  return fail(ErrorCode::InvalidArgument, "a message that the guest's process does not send");
}

}  // namespace

std::string encode(const Message& message) {
  const Header header{.step = static_cast<std::uint32_t>(message.step),
                      .code = static_cast<std::uint32_t>(message.code),
                      .status = message.status};
  std::string bytes(sizeof header, '\0');
  std::memcpy(bytes.data(), &header, sizeof header);
  return bytes.append(message.text, 0, kMaxMessageText);
}

Result<Message> decode_message(std::span<const std::byte> bytes) {
  Header header;
  if (bytes.size() < sizeof header || bytes.size() - sizeof header > kMaxMessageText) {
    return broken();
  }
  std::memcpy(&header, bytes.data(), sizeof header);
  if (header.step < static_cast<std::uint32_t>(Step::Opened) ||
      header.step > static_cast<std::uint32_t>(Step::Failed) ||
      header.code > static_cast<std::uint32_t>(ErrorCode::Internal) || header.status < 0 ||
      header.status > 255) {
    return broken();
  }
  const auto text = bytes.subspan(sizeof header);
  // SAFETY: bytes as characters.
  return Message{.step = static_cast<Step>(header.step),
                 .status = header.status,
                 .code = static_cast<ErrorCode>(header.code),
                 .text = one_line({reinterpret_cast<const char*>(text.data()), text.size()})};
}

Result<std::pair<GuestChannel, GuestChannel>> GuestChannel::create() {
  std::array<int, 2> ends{-1, -1};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return fail_errno("socketpair");
  }
  return std::pair(GuestChannel(UniqueFd(ends[0])), GuestChannel(UniqueFd(ends[1])));
}

Result<void> GuestChannel::send(const Message& message) {
  std::string bytes = encode(message);
  iovec data{bytes.data(), bytes.size()};
  msghdr header{};
  header.msg_iov = &data;
  header.msg_iovlen = 1;
  ssize_t put = 0;
  do {
    put = ::sendmsg(fd_.get(), &header, MSG_NOSIGNAL);
  } while (put < 0 && errno == EINTR);
  return put < 0 ? Result<void>(fail_errno("the guest's channel")) : Result<void>();
}

Result<std::optional<Message>> GuestChannel::receive(int flags) {
  std::array<std::byte, sizeof(Header) + kMaxMessageText + 1> buffer;
  ssize_t got = 0;
  do {
    got = ::recv(fd_.get(), buffer.data(), buffer.size(), flags);
  } while (got < 0 && errno == EINTR);
  if (got < 0 && errno == EAGAIN) {
    return std::nullopt;
  }
  if (got <= 0) {
    return fail(ErrorCode::Io, "the guest's process has ended");
  }
  return TRY(decode_message(std::span(buffer).first(static_cast<std::size_t>(got))));
}

Result<Message> GuestChannel::receive() {
  std::optional<Message> message = TRY(receive(0));
  return message ? Result<Message>(std::move(*message))
                 : fail(ErrorCode::Io, "the guest's process has nothing to say");
}

Result<std::optional<Message>> GuestChannel::receive_now() {
  return receive(MSG_DONTWAIT);
}

}  // namespace runhl::vmm::upstream
