// SPDX-License-Identifier: Apache-2.0
#include "lifecycle/pidfd_socket.h"

#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "runhl/base/unique_fd.h"

namespace runhl::shim {
namespace {

Result<UniqueFd> connect_to(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) {
    return fail(ErrorCode::InvalidArgument, "--pidfd-socket: path longer than a socket's may be");
  }
  std::copy(path.begin(), path.end(), std::begin(address.sun_path));
  UniqueFd socket{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  // SAFETY: the socket calls take every family's address by this type.
  if (!socket ||
      ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return fail_errno("--pidfd-socket " + path);
  }
  return socket;
}

}  // namespace

Result<void> send_pidfd(const std::string& path, int pid) {
  const UniqueFd socket = TRY(connect_to(path));
  const UniqueFd pidfd{static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))};
  if (!pidfd) {
    return fail_errno("pidfd_open");
  }
  std::string name = "pidfd";  // an empty message carries no descriptor
  iovec data{.iov_base = name.data(), .iov_len = name.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  const int fd = pidfd.get();
  std::memcpy(CMSG_DATA(header), &fd, sizeof(fd));
  if (::sendmsg(socket.get(), &message, MSG_NOSIGNAL) < 0) {
    return fail_errno("--pidfd-socket " + path);
  }
  return {};
}

}  // namespace runhl::shim
