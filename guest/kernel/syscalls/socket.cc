// SPDX-License-Identifier: Apache-2.0
// Making sockets, their names, connections and options. Messages are in socket_message.cc.
#include "fs/socket.h"

#include <algorithm>
#include <cstring>

#include "fs/unix/socket.h"
#include "syscalls/context.h"
#include "syscalls/handlers.h"
#include "syscalls/socket_arguments.h"

namespace runhl::kernel {

Result<SocketRef> socket_of(int fd) {
  SocketRef result;
  result.file = TRY(current_files().get(fd));
  result.socket = result.file->as_socket();
  if (result.socket == nullptr) {
    return fail(ENOTSOCK);
  }
  return result;
}

Result<SocketAddress> copy_address_in(UserAddress from, std::uint32_t length) {
  SocketAddress address;
  if (static_cast<int>(length) < 0 || length > address.bytes.size()) {
    return fail(EINVAL);
  }
  TRY(copy_from_user(address.bytes.data(), from, length));
  address.length = length;
  return address;
}

Result<void> copy_address_out(const SocketAddress& address, UserAddress to, UserAddress length_at) {
  const int room = TRY(UserIn<int>(length_at).copy_in());
  if (room < 0) {
    return fail(EINVAL);
  }
  const auto size = std::min<std::size_t>(static_cast<std::size_t>(room), address.length);
  TRY(copy_to_user(to, address.bytes.data(), size));
  return UserOut<int>(length_at).copy_out(static_cast<int>(address.length));
}

namespace {

constexpr std::uint32_t kTypeMask = 0xf;
constexpr int kMaxType = 10;  // SOCK_PACKET

struct Wanted {
  int type;
  std::uint32_t flags;  // O_NONBLOCK, O_CLOEXEC
};

/// socket(2) and socketpair(2): what can be made. Other families answer as a kernel without them.
Result<Wanted> check_kind(const SyscallArgs& args) {
  static_assert(SOCK_NONBLOCK == O_NONBLOCK && SOCK_CLOEXEC == O_CLOEXEC);
  const std::uint32_t flags = to_u32(args.a1) & ~kTypeMask;
  int type = static_cast<int>(to_u32(args.a1) & kTypeMask);
  const int family = to_fd(args.a0);
  const int protocol = to_fd(args.a2);
  if ((flags & ~std::uint32_t{SOCK_NONBLOCK | SOCK_CLOEXEC}) != 0) {
    return fail(EINVAL);
  }
  if (family < 0 || family >= AF_MAX) {
    return fail(EAFNOSUPPORT);
  }
  if (type > kMaxType) {
    return fail(EINVAL);
  }
  if (family != AF_UNIX) {
    return fail(EAFNOSUPPORT);
  }
  if (protocol != 0 && protocol != PF_UNIX) {
    return fail(EPROTONOSUPPORT);
  }
  if (type == SOCK_RAW) {
    type = SOCK_DGRAM;  // as Linux has it for this family
  }
  if (type != SOCK_STREAM && type != SOCK_DGRAM && type != SOCK_SEQPACKET) {
    return fail(ESOCKTNOSUPPORT);
  }
  return Wanted{.type = type, .flags = flags};
}

SyscallResult do_accept(const SyscallArgs& args, std::uint32_t flags) {
  if ((flags & ~std::uint32_t{SOCK_NONBLOCK | SOCK_CLOEXEC}) != 0) {
    return fail(EINVAL);
  }
  const SocketRef listener = TRY(socket_of(to_fd(args.a0)));
  SocketAddress peer;
  Ref<Socket> socket = TRY(listener.socket->accept(flags & O_NONBLOCK, peer));
  if (args.a1 != 0) {
    TRY(copy_address_out(peer, args.a1, args.a2));
  }
  return install_file(std::move(socket), flags);
}

constexpr std::size_t kMaxOption = 256;  // longer ones than any that we know are cut

}  // namespace

SyscallResult sys_socket(const SyscallArgs& args) {
  const Wanted wanted = TRY(check_kind(args));
  return install_file(TRY(UnixSocket::create(wanted.type, wanted.flags & O_NONBLOCK)),
                      wanted.flags);
}

SyscallResult sys_socketpair(const SyscallArgs& args) {
  const Wanted wanted = TRY(check_kind(args));
  auto pair = TRY(UnixSocket::create_pair(wanted.type, wanted.flags & O_NONBLOCK));
  const auto first = static_cast<int>(TRY(install_file(std::move(pair[0]), wanted.flags)));
  const SyscallResult second = install_file(std::move(pair[1]), wanted.flags);
  Result<void> told = second ? Result<void>() : tl::unexpected(second.error());
  if (second) {
    const std::array<int, 2> numbers{first, static_cast<int>(*second)};
    told = copy_to_user(args.a3, numbers.data(), sizeof(numbers));
  }
  if (!told) {
    (void)current_files().close(first);  // ours, just made
    if (second) {
      (void)current_files().close(static_cast<int>(*second));
    }
    return tl::unexpected(told.error());
  }
  return 0;
}

SyscallResult sys_bind(const SyscallArgs& args) {
  const SocketRef it = TRY(socket_of(to_fd(args.a0)));
  TRY(it.socket->bind(TRY(copy_address_in(args.a1, to_u32(args.a2)))));
  return 0;
}

SyscallResult sys_listen(const SyscallArgs& args) {
  const SocketRef it = TRY(socket_of(to_fd(args.a0)));
  TRY(it.socket->listen(to_u32(args.a1)));
  return 0;
}

SyscallResult sys_connect(const SyscallArgs& args) {
  const SocketRef it = TRY(socket_of(to_fd(args.a0)));
  TRY(it.socket->connect(TRY(copy_address_in(args.a1, to_u32(args.a2)))));
  return 0;
}

SyscallResult sys_accept(const SyscallArgs& args) {
  return do_accept(args, 0);
}

SyscallResult sys_accept4(const SyscallArgs& args) {
  return do_accept(args, to_u32(args.a3));
}

SyscallResult sys_getsockname(const SyscallArgs& args) {
  const SocketRef it = TRY(socket_of(to_fd(args.a0)));
  TRY(copy_address_out(TRY(it.socket->name()), args.a1, args.a2));
  return 0;
}

SyscallResult sys_getpeername(const SyscallArgs& args) {
  const SocketRef it = TRY(socket_of(to_fd(args.a0)));
  TRY(copy_address_out(TRY(it.socket->peer_name()), args.a1, args.a2));
  return 0;
}

SyscallResult sys_shutdown(const SyscallArgs& args) {
  const SocketRef it = TRY(socket_of(to_fd(args.a0)));
  TRY(it.socket->shutdown(to_fd(args.a1)));
  return 0;
}

SyscallResult sys_setsockopt(const SyscallArgs& args) {
  const int length = to_fd(args.a4);
  if (length < 0) {
    return fail(EINVAL);
  }
  const SocketRef it = TRY(socket_of(to_fd(args.a0)));
  std::array<std::byte, kMaxOption> value{};
  const std::size_t size = std::min<std::size_t>(static_cast<std::size_t>(length), value.size());
  TRY(copy_from_user(value.data(), args.a3, size));
  TRY(it.socket->set_option(to_fd(args.a1), to_fd(args.a2), std::span(value).first(size)));
  return 0;
}

SyscallResult sys_getsockopt(const SyscallArgs& args) {
  const SocketRef it = TRY(socket_of(to_fd(args.a0)));
  const int length = TRY(UserIn<int>(args.a4).copy_in());
  if (length < 0) {
    return fail(EINVAL);
  }
  std::array<std::byte, kMaxOption> value{};
  const std::size_t room = std::min<std::size_t>(static_cast<std::size_t>(length), value.size());
  const std::size_t size =
      TRY(it.socket->get_option(to_fd(args.a1), to_fd(args.a2), std::span(value).first(room)));
  TRY(copy_to_user(args.a3, value.data(), size));
  TRY(UserOut<int>(args.a4).copy_out(static_cast<int>(size)));
  return 0;
}

}  // namespace runhl::kernel
