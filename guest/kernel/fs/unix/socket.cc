// SPDX-License-Identifier: Apache-2.0
#include "fs/unix/socket.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "core/random.h"
#include "fs/permission.h"
#include "fs/vfs.h"
#include "host/clock.h"
#include "proc/interrupted.h"
#include "proc/task.h"

namespace runhl::kernel {
namespace {

constexpr std::uint32_t kSocketDevice = 0x08;
// net.core.{w,r}mem_max, and the smallest that Linux makes of a request.
constexpr std::uint32_t kMaxBuffer = 212'992, kMinSendBuffer = 4608, kMinReceiveBuffer = 2304;

/// A wait with a limit of its own does not begin again, as on Linux.
template <typename T>
Result<T> unless_timed(Result<T> result, Nanoseconds timeout) {
  const bool interrupted = !result && to_int(result.error()) == EINTR;
  return interrupted && timeout != 0 ? fail(kInterrupted) : std::move(result);
}

SocketAddress address_of(const Ref<UnixAddress>& name) {
  return name != nullptr ? name->socket_address() : unnamed_unix_address();
}

}  // namespace

// ---- any socket --------------------------------------------------------------------------------

SocketCredentials own_credentials() {
  const Task& task = current();
  return {.pid = task.process->pid, .uid = task.credentials.euid, .gid = task.credentials.egid};
}

Result<std::size_t> Socket::read(IoBuffer& buffer) {
  if (buffer.full()) {
    return 0;  // unlike recv(2), which looks at the queue
  }
  ReceiveRequest request{.data = buffer};
  return receive(request);
}

Result<std::size_t> Socket::write(IoBuffer& buffer) {
  SendRequest request{.data = buffer};
  return send(request);
}

// ---- AF_UNIX -----------------------------------------------------------------------------------

Result<Ref<UnixSocket>> UnixSocket::create(int type, std::uint32_t flags) {
  return make_ref<UnixSocket>(TRY(make_ref<UnixEndpoint>(type)), flags);
}

Result<std::array<Ref<UnixSocket>, 2>> UnixSocket::create_pair(int type, std::uint32_t flags) {
  Ref<UnixEndpoint> a = TRY(make_ref<UnixEndpoint>(type));
  Ref<UnixEndpoint> b = TRY(make_ref<UnixEndpoint>(type));
  UnixEndpoint& first = *a;
  UnixEndpoint& second = *b;
  std::array<Ref<UnixSocket>, 2> pair;
  pair[0] = TRY(make_ref<UnixSocket>(std::move(a), flags));
  pair[1] = TRY(make_ref<UnixSocket>(std::move(b), flags));
  UnixEndpoint::make_pair(first, second);
  return pair;
}

UnixSocket::UnixSocket(Ref<UnixEndpoint> endpoint, std::uint32_t flags)
    : Socket(flags | O_RDWR),
      endpoint_(std::move(endpoint)),
      uid_(current().credentials.fsuid),
      gid_(current().credentials.fsgid) {}

Nanoseconds UnixSocket::deadline(std::uint32_t flags, Nanoseconds timeout) const {
  if (nonblocking() || (flags & MSG_DONTWAIT) != 0) {
    return 0;  // past
  }
  return timeout == 0 ? kNoDeadline : monotonic_now() + timeout;
}

Result<void> UnixSocket::bind(const SocketAddress& address) {
  if (UnixAddress::is_empty(address)) {
    return bind_automatically();
  }
  const Ref<UnixAddress> name = TRY(UnixAddress::create(address));
  if (!name->is_abstract()) {
    return bind_path(name);
  }
  if (endpoint_->name() != nullptr) {
    return fail(EINVAL);
  }
  if (!endpoint_->keep_name(name, endpoint_->type())) {
    return fail(EADDRINUSE);
  }
  return endpoint_->set_name(name);
}

Result<void> UnixSocket::bind_automatically() {
  if (endpoint_->name() != nullptr) {
    return {};
  }
  constexpr std::uint32_t kNames = 1U << 20;
  std::uint32_t number = 0;
  random_bytes(std::as_writable_bytes(std::span(&number, 1)));
  for (std::uint32_t tries = 0; tries < kNames; ++tries, ++number) {
    const Ref<UnixAddress> name = TRY(UnixAddress::automatic(number % kNames));
    if (endpoint_->keep_name(name, endpoint_->type())) {
      return endpoint_->set_name(name);
    }
  }
  return fail(ENOSPC);
}

/// A node of the file system is the name; what is behind it is found by the node's inode.
Result<void> UnixSocket::bind_path(const Ref<UnixAddress>& address) {
  const Owned<PathWalk> made = TRY(walk_from_cwd(address->name()));
  const Result<void> node = vfs_make_special(*made, S_IFSOCK | 0777, {});
  if (!node) {
    return fail(to_int(node.error()) == EEXIST ? EADDRINUSE : to_int(node.error()));
  }
  const Owned<PathWalk> walk = TRY(walk_from_cwd(address->name()));
  if (const Result<void> named = endpoint_->set_name(address); !named) {
    (void)vfs_remove(*walk, false);  // Linux: a second name is refused once there is a node for it
    return named;
  }
  const abi::FileAttr attr = TRY(vfs_stat(*TRY(walk_from_cwd(address->name())), Follow::No));
  if (keep_inode_object(inode_key(attr), endpoint_) != endpoint_) {
    return fail(EADDRINUSE);
  }
  return {};
}

Result<Ref<UnixEndpoint>> UnixSocket::find(const SocketAddress& address) const {
  const Ref<UnixAddress> name = TRY(UnixAddress::create(address));
  if (name->is_abstract()) {
    const Ref<NamedObject> found = find_abstract_name(name->name(), endpoint_->type());
    if (found == nullptr) {
      return fail(ECONNREFUSED);
    }
    // SAFETY: only endpoints keep abstract names.
    return Ref<UnixEndpoint>(static_cast<UnixEndpoint*>(found.get()));
  }
  const Owned<PathWalk> walk = TRY(walk_from_cwd(name->name()));
  const abi::FileAttr attr = TRY(vfs_stat(*walk, Follow::Yes));
  TRY(check_access(attr, file_identity(current().credentials), kAccessWrite));
  const Ref<InodeObject> found = S_ISSOCK(attr.mode) ? find_inode_object(inode_key(attr)) : nullptr;
  if (found == nullptr) {
    return fail(ECONNREFUSED);
  }
  // SAFETY: behind a socket's node only endpoints are kept.
  Ref<UnixEndpoint> endpoint(static_cast<UnixEndpoint*>(found.get()));
  if (endpoint->type() != endpoint_->type()) {
    return fail(EPROTOTYPE);
  }
  return endpoint;
}

Result<void> UnixSocket::connect(const SocketAddress& address) {
  if (endpoint_->is_datagram() && address.length >= sizeof(sa_family_t) &&
      address.family() == AF_UNSPEC) {
    return endpoint_->set_peer(nullptr);
  }
  TRY(UnixAddress::create(address));
  TRY(be_named_if_told());
  const Ref<UnixEndpoint> other = TRY(find(address));
  if (endpoint_->is_datagram()) {
    return endpoint_->set_peer(other);
  }
  if (other->state() != UnixEndpoint::State::Listening) {
    return fail(ECONNREFUSED);
  }
  if (endpoint_->state() != UnixEndpoint::State::Unconnected) {
    const bool connected = endpoint_->state() == UnixEndpoint::State::Connected;
    return fail(connected ? EISCONN : EINVAL);
  }
  const Nanoseconds timeout = send_timeout_.load();
  return unless_timed(endpoint_->connect_to(*other, deadline(0, timeout)), timeout);
}

Result<Ref<Socket>> UnixSocket::accept(std::uint32_t flags, SocketAddress& peer) {
  if (endpoint_->is_datagram()) {
    return fail(EOPNOTSUPP);
  }
  const Nanoseconds timeout = receive_timeout_.load();
  Ref<UnixEndpoint> endpoint = TRY(unless_timed(endpoint_->accept(deadline(0, timeout)), timeout));
  const Ref<UnixEndpoint> other = endpoint->peer();
  peer = address_of(other != nullptr ? other->name() : nullptr);
  const Ref<UnixEndpoint> kept = endpoint;
  Result<Ref<UnixSocket>> socket = make_ref<UnixSocket>(std::move(endpoint), flags);
  if (!socket) {
    kept->close();
    return tl::unexpected(socket.error());
  }
  return Ref<Socket>(std::move(*socket));
}

Result<SocketAddress> UnixSocket::name() {
  return address_of(endpoint_->name());
}

Result<SocketAddress> UnixSocket::peer_name() {
  const Ref<UnixEndpoint> other = endpoint_->peer();
  if (other == nullptr) {
    return fail(ENOTCONN);
  }
  return address_of(other->name());
}

Result<void> UnixSocket::shutdown(int how) {
  if (how < SHUT_RD || how > SHUT_RDWR) {
    return fail(EINVAL);
  }
  static_assert(SHUT_RD + 1 == UnixEndpoint::kReceive && SHUT_WR + 1 == UnixEndpoint::kSend);
  endpoint_->shutdown(static_cast<std::uint32_t>(how + 1));
  return {};
}

Result<std::size_t> UnixSocket::send(SendRequest& request) {
  if ((request.flags & MSG_OOB) != 0) {
    return fail(EOPNOTSUPP);
  }
  const Nanoseconds timeout = send_timeout_.load();
  const Nanoseconds until = deadline(request.flags, timeout);
  if (endpoint_->type() == SOCK_STREAM) {
    if (request.to != nullptr) {
      const bool connected = endpoint_->state() == UnixEndpoint::State::Connected;
      return fail(connected ? EISCONN : EOPNOTSUPP);
    }
    return unless_timed(endpoint_->send_stream(request, until), timeout);
  }
  TRY(check_connected());
  const bool has_address = endpoint_->is_datagram() && request.to != nullptr;  // else not looked at
  if (has_address) {
    TRY(UnixAddress::create(*request.to));  // one at all
  }
  if (has_address || endpoint_->peer() != nullptr) {
    TRY(be_named_if_told());
  }
  const std::size_t size = request.data.remaining();
  UnixMessagePtr message = TRY(unless_timed(endpoint_->make_packet(request, until), timeout));
  const Ref<UnixEndpoint> to = has_address ? TRY(find(*request.to)) : endpoint_->peer();
  TRY(unless_timed(endpoint_->deliver_packet(std::move(message), to, until), timeout));
  return size;
}

/// Who asks for credentials is to be answerable as well: Linux gives it a name.
Result<void> UnixSocket::be_named_if_told() {
  return endpoint_->pass_credentials.load() ? bind_automatically() : Result<void>{};
}

Result<void> UnixSocket::check_connected() {
  if (endpoint_->type() != SOCK_SEQPACKET) {
    return {};
  }
  if (const int error = endpoint_->take_error()) {
    return fail(error);
  }
  return endpoint_->state() == UnixEndpoint::State::Connected ? Result<void>{} : fail(ENOTCONN);
}

Result<std::size_t> UnixSocket::receive(ReceiveRequest& request) {
  const Nanoseconds until = deadline(request.flags, receive_timeout_.load());
  if ((request.flags & MSG_OOB) != 0) {
    return fail(EOPNOTSUPP);
  }
  return unless_timed(endpoint_->type() == SOCK_STREAM ? endpoint_->receive_stream(request, until)
                                                       : endpoint_->receive_packet(request, until),
                      receive_timeout_.load());
}

// ---- options -----------------------------------------------------------------------------------

namespace {

template <typename T>
Result<T> option_value(std::span<const std::byte> value) {
  if (value.size() < sizeof(T)) {
    return fail(EINVAL);
  }
  T result;
  std::memcpy(&result, value.data(), sizeof(T));
  return result;
}

/// As much of it as there is room for, as Linux cuts it.
template <typename T>
std::size_t put_option(std::span<std::byte> out, const T& value) {
  const std::size_t size = std::min(out.size(), sizeof(T));
  std::memcpy(out.data(), &value, size);
  return size;
}

Result<Nanoseconds> timeout_of(std::span<const std::byte> value) {
  const auto time = TRY(option_value<__kernel_old_timeval>(value));
  constexpr std::int64_t kMicrosPerSecond = 1'000'000;
  constexpr std::int64_t kForever = 1LL << 32;  // seconds
  if (time.tv_usec < 0 || time.tv_usec >= kMicrosPerSecond) {
    return fail(EDOM);
  }
  if (time.tv_sec < 0) {
    return 1;  // Linux: no waiting at all
  }
  return std::min<std::int64_t>(time.tv_sec, kForever) * kNanosPerSecond + time.tv_usec * 1000;
}

__kernel_old_timeval to_timeval(Nanoseconds timeout) {
  return {timeout / kNanosPerSecond, timeout % kNanosPerSecond / 1000};
}

std::uint32_t buffer_size(int wanted, std::uint32_t smallest) {
  const std::uint32_t capped = std::min(static_cast<std::uint32_t>(wanted), kMaxBuffer);
  return std::max(capped * 2, smallest);
}

}  // namespace

Result<void> UnixSocket::set_option(int level, int option, std::span<const std::byte> value) {
  if (level != SOL_SOCKET) {
    return fail(EOPNOTSUPP);
  }
  switch (option) {
    case SO_RCVTIMEO:
      receive_timeout_.store(TRY(timeout_of(value)));
      return {};
    case SO_SNDTIMEO:
      send_timeout_.store(TRY(timeout_of(value)));
      return {};
    case SO_LINGER:
      TRY(option_value<linger>(value));
      return {};
    default:
      break;
  }
  const int number = TRY(option_value<int>(value));
  switch (option) {
    case SO_PASSCRED:
      endpoint_->pass_credentials.store(number != 0);
      return {};
    case SO_SNDBUF:
      endpoint_->send_size.store(buffer_size(number, kMinSendBuffer));
      return {};
    case SO_RCVBUF:
      endpoint_->receive_size.store(buffer_size(number, kMinReceiveBuffer));
      return {};
    case SO_SNDBUFFORCE:
    case SO_RCVBUFFORCE:
      return fail(EPERM);  // CAP_NET_ADMIN of the host is not to be had
    case SO_TYPE:
    case SO_PROTOCOL:
    case SO_DOMAIN:
    case SO_ERROR:
    case SO_ACCEPTCONN:
    case SO_PEERCRED:
      return fail(ENOPROTOOPT);
    case SO_DEBUG:
    case SO_REUSEADDR:
    case SO_DONTROUTE:
    case SO_BROADCAST:
    case SO_KEEPALIVE:
    case SO_OOBINLINE:
    case SO_PRIORITY:
    case SO_RCVLOWAT:
    case SO_TIMESTAMP:
      return {};  // of no effect on sockets of this family
    default:
      return fail(ENOPROTOOPT);
  }
}

Result<std::size_t> UnixSocket::get_option(int level, int option, std::span<std::byte> value) {
  if (level != SOL_SOCKET) {
    return fail(EOPNOTSUPP);
  }
  const bool listening = endpoint_->state() == UnixEndpoint::State::Listening;
  switch (option) {
    case SO_RCVTIMEO:
      return put_option(value, to_timeval(receive_timeout_.load()));
    case SO_SNDTIMEO:
      return put_option(value, to_timeval(send_timeout_.load()));
    case SO_LINGER:
      return put_option(value, linger{});
    case SO_PEERCRED: {
      const SocketCredentials peer = endpoint_->peer_credentials();
      const bool known = peer.pid != 0;
      return put_option(
          value,
          ucred{.pid = peer.pid, .uid = known ? peer.uid : ~0U, .gid = known ? peer.gid : ~0U});
    }
    case SO_TYPE:
      return put_option(value, endpoint_->type());
    case SO_DOMAIN:
      return put_option(value, int{AF_UNIX});
    case SO_ERROR:
      return put_option(value, endpoint_->take_error());
    case SO_PASSCRED:
      return put_option(value, int{endpoint_->pass_credentials.load()});
    case SO_SNDBUF:
      return put_option(value, static_cast<int>(endpoint_->send_size.load()));
    case SO_RCVBUF:
      return put_option(value, static_cast<int>(endpoint_->receive_size.load()));
    case SO_ACCEPTCONN:
      return put_option(value, int{listening});
    case SO_RCVLOWAT:
    case SO_SNDLOWAT:
      return put_option(value, 1);
    case SO_PROTOCOL:
    case SO_DEBUG:
    case SO_REUSEADDR:
    case SO_DONTROUTE:
    case SO_BROADCAST:
    case SO_KEEPALIVE:
    case SO_OOBINLINE:
    case SO_PRIORITY:
    case SO_TIMESTAMP:
      return put_option(value, 0);
    default:
      return fail(ENOPROTOOPT);
  }
}

Result<abi::FileAttr> UnixSocket::attributes() {
  abi::FileAttr attr{};
  // SAFETY: the address serves as a number that no other living socket has.
  attr.inode = reinterpret_cast<std::uint64_t>(endpoint_.get()) >> 4 & 0xffff'ffff;
  attr.device = kSocketDevice;
  attr.mode = S_IFSOCK | 0777;
  attr.links = 1;
  attr.block_size = 4096;
  attr.uid = uid_;
  attr.gid = gid_;
  return attr;
}

Result<std::uint64_t> UnixSocket::ioctl(std::uint32_t command, UserAddress argument) {
  switch (command) {
    case FIONREAD:
      if (endpoint_->state() == UnixEndpoint::State::Listening) {
        return fail(EINVAL);
      }
      TRY(UserOut<int>(argument).copy_out(static_cast<int>(endpoint_->unread_bytes())));
      return 0;
    case SIOCOUTQ:
      TRY(UserOut<int>(argument).copy_out(static_cast<int>(endpoint_->unsent_bytes())));
      return 0;
    default:
      return fail(ENOTTY);
  }
}

}  // namespace runhl::kernel
