// SPDX-License-Identifier: Apache-2.0
// Messages: sendto and recvfrom, sendmsg and recvmsg with their control data, and many at once.
#include <linux/capability.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>

#include "fs/socket.h"
#include "host/clock.h"
#include "syscalls/context.h"
#include "syscalls/handlers.h"
#include "syscalls/io_vector.h"
#include "syscalls/socket_arguments.h"
#include "syscalls/waiting.h"

namespace runhl::kernel {
namespace {

constexpr std::size_t kMaxControl = 20'480;  // net.core.optmem_max
constexpr std::size_t kMaxMessages = 1024;   // UIO_MAXIOV: of sendmmsg and recvmmsg

constexpr std::size_t aligned(std::size_t size) {
  return (size + sizeof(std::size_t) - 1) & ~(sizeof(std::size_t) - 1);
}

// ---- control data to send ----------------------------------------------------------------------

Result<void> add_files(SendRequest& request, std::span<const std::byte> data) {
  if (request.files == nullptr) {
    request.files = TRY(make<PassedFiles>());
  }
  PassedFiles& files = *request.files;
  const std::size_t count = data.size() / sizeof(int);
  if (count > PassedFiles::kMax - files.count) {
    return fail(EINVAL);
  }
  for (std::size_t i = 0; i < count; ++i) {
    int fd = -1;
    std::memcpy(&fd, data.data() + i * sizeof(int), sizeof(int));
    files.files[files.count] = TRY(current_files().get_any(fd));
    ++files.count;
  }
  return {};
}

/// A task may name itself, and others with the capabilities for it.
Result<void> set_credentials(SendRequest& request, std::span<const std::byte> data) {
  if (data.size() != sizeof(ucred)) {
    return fail(EINVAL);
  }
  ucred wanted{};
  std::memcpy(&wanted, data.data(), sizeof(wanted));
  const Credentials& own = current().credentials;
  const bool pid = wanted.pid == current().process->pid || own.has(CAP_SYS_ADMIN);
  const bool uid = wanted.uid == own.uid || wanted.uid == own.euid || wanted.uid == own.suid ||
                   own.has(CAP_SETUID);
  const bool gid = wanted.gid == own.gid || wanted.gid == own.egid || wanted.gid == own.sgid ||
                   own.has(CAP_SETGID);
  if (!pid || !uid || !gid) {
    return fail(EPERM);
  }
  request.credentials = {.pid = wanted.pid, .uid = wanted.uid, .gid = wanted.gid};
  return {};
}

Result<void> parse_control(SendRequest& request, std::span<const std::byte> control) {
  std::size_t at = 0;
  while (at + sizeof(cmsghdr) <= control.size()) {
    cmsghdr header{};
    std::memcpy(&header, control.data() + at, sizeof(header));
    if (header.cmsg_len < sizeof(header) || header.cmsg_len > control.size() - at) {
      return fail(EINVAL);
    }
    const auto data = control.subspan(at + sizeof(header), header.cmsg_len - sizeof(header));
    if (header.cmsg_level == SOL_SOCKET) {
      switch (header.cmsg_type) {
        case SCM_RIGHTS:
          TRY(add_files(request, data));
          break;
        case SCM_CREDENTIALS:
          TRY(set_credentials(request, data));
          break;
        default:
          return fail(EINVAL);
      }
    }
    at += aligned(header.cmsg_len);
  }
  if (request.files != nullptr && request.files->count == 0) {
    request.files = nullptr;
  }
  return {};
}

Result<void> copy_control_in(SendRequest& request, const msghdr& header) {
  const std::size_t size = header.msg_controllen;
  if (size == 0) {
    return {};
  }
  if (size > kMaxControl) {
    return fail(ENOBUFS);
  }
  auto* const copy = static_cast<std::byte*>(heap_allocate(size));
  if (copy == nullptr) {
    return fail(ENOBUFS);
  }
  // SAFETY: only the number is used.
  Result<void> done = copy_from_user(copy, reinterpret_cast<UserAddress>(header.msg_control), size);
  if (done) {
    done = parse_control(request, {copy, size});
  }
  heap_free(copy, size);
  return done;
}

// ---- control data that came --------------------------------------------------------------------

/// Writes into the program's control buffer what fits; MSG_CTRUNC tells of what did not.
class ControlWriter {
 public:
  explicit ControlWriter(const msghdr& header)
      // SAFETY: only the number is used.
      : at_(reinterpret_cast<UserAddress>(header.msg_control)),
        room_(header.msg_control == nullptr ? 0 : header.msg_controllen) {}

  Result<void> put(int type, const void* data, std::size_t size) {
    if (room_ < sizeof(cmsghdr)) {
      truncated_ = true;
      return {};
    }
    const std::size_t fits = std::min(size, room_ - sizeof(cmsghdr));
    truncated_ = truncated_ || fits < size;
    TRY(copy_to_user(at_ + sizeof(cmsghdr), data, fits));
    return finish(type, fits);
  }

  Result<void> put_files(const PassedFiles& files, CloseOnExec close_on_exec) {
    const std::size_t fits = room_ < sizeof(cmsghdr)
                                 ? 0
                                 : std::min(files.count, (room_ - sizeof(cmsghdr)) / sizeof(int));
    std::size_t done = 0;
    while (done < fits) {
      const Result<int> fd =
          current_files().install(files.files[done], close_on_exec, descriptor_limit());
      if (!fd) {
        break;
      }
      if (!copy_to_user(at_ + sizeof(cmsghdr) + done * sizeof(int), &*fd, sizeof(int))) {
        (void)current_files().close(*fd);  // ours, just made
        break;
      }
      ++done;
    }
    truncated_ = truncated_ || done < files.count;
    return done == 0 ? Result<void>() : finish(SCM_RIGHTS, done * sizeof(int));
  }

  [[nodiscard]] bool truncated() const { return truncated_; }
  [[nodiscard]] std::size_t used() const { return used_; }

 private:
  Result<void> finish(int type, std::size_t size) {
    cmsghdr header{};
    header.cmsg_len = sizeof(header) + size;
    header.cmsg_level = SOL_SOCKET;
    header.cmsg_type = type;
    TRY(copy_to_user(at_, &header, sizeof(header)));
    const std::size_t step = std::min(aligned(header.cmsg_len), room_);
    at_ += step;
    room_ -= step;
    used_ += step;
    return {};
  }

  UserAddress at_;
  std::size_t room_;
  std::size_t used_ = 0;
  bool truncated_ = false;
};

// ---- one message -------------------------------------------------------------------------------

SyscallResult send_message(Socket& socket, UserAddress message, std::uint32_t flags) {
  const msghdr header = TRY(UserIn<msghdr>(message).copy_in());
  // SAFETY: only the numbers of the pointers are used, here and below.
  const auto vector_at = reinterpret_cast<UserAddress>(header.msg_iov);
  const Owned<IoVector> vector = TRY(IoVector::copy(vector_at, header.msg_iovlen, EMSGSIZE));
  IoBuffer data(vector->spans());
  SocketAddress to;
  SendRequest request{.data = data, .flags = flags};
  if (header.msg_name != nullptr && header.msg_namelen != 0) {
    to = TRY(copy_address_in(reinterpret_cast<UserAddress>(header.msg_name), header.msg_namelen));
    request.to = &to;
  }
  TRY(socket.check_connected());
  TRY(copy_control_in(request, header));
  return socket.send(request);
}

Result<void> tell_extras(UserAddress message, const msghdr& header, ReceiveRequest& request) {
  if (header.msg_name != nullptr) {
    // SAFETY: only the number is used.
    const auto name_at = reinterpret_cast<UserAddress>(header.msg_name);
    const std::size_t size = std::min<std::size_t>(header.msg_namelen, request.from.length);
    TRY(copy_to_user(name_at, request.from.bytes.data(), size));
    TRY(UserOut<std::uint32_t>(message + offsetof(msghdr, msg_namelen))
            .copy_out(request.from.length));
  }
  ControlWriter control(header);
  if (request.credentials) {
    const ucred credentials{.pid = request.credentials->pid,
                            .uid = request.credentials->uid,
                            .gid = request.credentials->gid};
    TRY(control.put(SCM_CREDENTIALS, &credentials, sizeof(credentials)));
  }
  if (request.files != nullptr) {
    const bool cloexec = (request.flags & MSG_CMSG_CLOEXEC) != 0;
    TRY(control.put_files(*request.files, cloexec ? CloseOnExec::Yes : CloseOnExec::No));
  }
  const std::uint32_t flags = request.message_flags | (request.flags & MSG_CMSG_CLOEXEC) |
                              (control.truncated() ? std::uint32_t{MSG_CTRUNC} : 0U);
  TRY(UserOut<std::uint32_t>(message + offsetof(msghdr, msg_flags)).copy_out(flags));
  return UserOut<std::uint64_t>(message + offsetof(msghdr, msg_controllen))
      .copy_out(control.used());
}

SyscallResult receive_message(Socket& socket, UserAddress message, std::uint32_t flags) {
  const msghdr header = TRY(UserIn<msghdr>(message).copy_in());
  if (header.msg_name != nullptr && static_cast<int>(header.msg_namelen) < 0) {
    return fail(EINVAL);
  }
  // SAFETY: only the number is used.
  const auto vector_at = reinterpret_cast<UserAddress>(header.msg_iov);
  const Owned<IoVector> vector = TRY(IoVector::copy(vector_at, header.msg_iovlen, EMSGSIZE));
  IoBuffer data(vector->spans());
  ReceiveRequest request{.data = data, .flags = flags};
  const std::size_t size = TRY(socket.receive(request));
  TRY(tell_extras(message, header, request));
  return size;
}

using OneMessage = SyscallResult (*)(Socket& socket, UserAddress message, std::uint32_t flags);

/// Until one fails, which counts only if it is the first.
SyscallResult many_messages(const SyscallArgs& args, OneMessage one, Nanoseconds deadline) {
  const SocketRef it = TRY(socket_of(to_fd(args.a0)));
  std::uint32_t flags = to_u32(args.a3);
  const std::size_t count = std::min<std::size_t>(to_u32(args.a2), kMaxMessages);
  const bool wait_for_one = (flags & MSG_WAITFORONE) != 0;
  flags &= ~std::uint32_t{MSG_WAITFORONE};
  std::size_t done = 0;
  while (done < count) {
    const UserAddress message = args.a1 + done * sizeof(mmsghdr);
    const SyscallResult size = one(*it.socket, message, flags);
    if (!size) {
      return done != 0 ? SyscallResult(done) : size;
    }
    TRY(UserOut<std::uint32_t>(message + offsetof(mmsghdr, msg_len))
            .copy_out(static_cast<std::uint32_t>(*size)));
    ++done;
    if (wait_for_one) {
      flags |= MSG_DONTWAIT;
    }
    if (deadline != kNoDeadline && deadline <= monotonic_now()) {
      break;
    }
  }
  return done;
}

}  // namespace

SyscallResult sys_sendto(const SyscallArgs& args) {
  const UserSpan span = TRY(user_span(args.a1, args.a2));
  const SocketRef it = TRY(socket_of(to_fd(args.a0)));
  SocketAddress to;
  IoBuffer data(span);
  SendRequest request{.data = data, .flags = to_u32(args.a3)};
  if (args.a4 != 0) {
    to = TRY(copy_address_in(args.a4, to_u32(args.a5)));
    request.to = &to;
  }
  return it.socket->send(request);
}

SyscallResult sys_recvfrom(const SyscallArgs& args) {
  const UserSpan span = TRY(user_span(args.a1, args.a2));
  const SocketRef it = TRY(socket_of(to_fd(args.a0)));
  IoBuffer data(span);
  ReceiveRequest request{.data = data, .flags = to_u32(args.a3)};
  const std::size_t size = TRY(it.socket->receive(request));
  if (args.a4 != 0) {
    TRY(copy_address_out(request.from, args.a4, args.a5));
  }
  return size;
}

SyscallResult sys_sendmsg(const SyscallArgs& args) {
  const SocketRef it = TRY(socket_of(to_fd(args.a0)));
  return send_message(*it.socket, args.a1, to_u32(args.a2));
}

SyscallResult sys_recvmsg(const SyscallArgs& args) {
  const SocketRef it = TRY(socket_of(to_fd(args.a0)));
  return receive_message(*it.socket, args.a1, to_u32(args.a2));
}

SyscallResult sys_sendmmsg(const SyscallArgs& args) {
  return many_messages(args, &send_message, kNoDeadline);
}

SyscallResult sys_recvmmsg(const SyscallArgs& args) {
  // The time-out is looked at between messages only, as on Linux.
  const Nanoseconds deadline = TRY(deadline_from_timespec(args.a4));
  return many_messages(args, &receive_message, deadline);
}

}  // namespace runhl::kernel
