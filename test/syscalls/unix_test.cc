// SPDX-License-Identifier: Apache-2.0
// AF_UNIX sockets: names, connections, messages, passed descriptors and credentials.
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>

#include <array>
#include <cstddef>
#include <string>
#include <utility>

#include "syscall_test.h"

namespace {

struct Address {
  explicit Address(const std::string& name) {
    name.copy(un.sun_path, sizeof(un.sun_path));
    length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
  }
  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&un); }
  sockaddr_un un{.sun_family = AF_UNIX, .sun_path = {}};
  socklen_t length;
};

Address abstract(const char* name) {
  return Address(std::string("\0", 1) + name + std::to_string(::getpid()));
}

struct Pair {
  explicit Pair(int type) {
    std::array<int, 2> fds{};
    EXPECT_THAT(::socketpair(AF_UNIX, type, 0, fds.data()), Succeeds());
    a.reset(fds[0]);
    b.reset(fds[1]);
  }
  Fd a, b;
};

Fd make_socket(int type) {
  return Fd{::socket(AF_UNIX, type, 0)};
}

std::string receive(const Fd& from, std::size_t size, int flags = MSG_DONTWAIT) {
  std::string bytes(size, '\0');
  const ssize_t count = ::recv(from.get(), bytes.data(), size, flags);
  bytes.resize(count < 0 ? 0 : static_cast<std::size_t>(count));
  return bytes;
}

ssize_t put(const Fd& to, const std::string& bytes, int flags = MSG_DONTWAIT | MSG_NOSIGNAL) {
  return ::send(to.get(), bytes.data(), bytes.size(), flags);
}

short state(const Fd& fd, short events = POLLIN | POLLOUT | POLLRDHUP) {
  pollfd poll{fd.get(), events, 0};
  EXPECT_THAT(::poll(&poll, 1, 0), Succeeds());
  return poll.revents;
}

template <typename T>
T option(const Fd& fd, int name) {
  T value{};
  socklen_t length = sizeof(value);
  EXPECT_THAT(::getsockopt(fd.get(), SOL_SOCKET, name, &value, &length), Succeeds());
  EXPECT_EQ(length, sizeof(value));
  return value;
}

TEST(Unix, Families_and_types_that_there_are) {
  EXPECT_THAT(::socket(AF_UNIX, 9, 0), FailsWith(ESOCKTNOSUPPORT));
  EXPECT_THAT(::socket(AF_UNIX, SOCK_STREAM, 7), FailsWith(EPROTONOSUPPORT));
  EXPECT_THAT(::socket(-1, SOCK_STREAM, 0), FailsWith(EAFNOSUPPORT));
  EXPECT_THAT(::socket(AF_UNIX, SOCK_STREAM | 0x100, 0), FailsWith(EINVAL));
  const Fd stream = make_socket(SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK);
  EXPECT_THAT(::fcntl(stream.get(), F_GETFD), SucceedsWith(FD_CLOEXEC));
  EXPECT_THAT(::fcntl(stream.get(), F_GETFL), SucceedsWith(O_RDWR | O_NONBLOCK));
  EXPECT_EQ(option<int>(stream, SO_TYPE), SOCK_STREAM);
  EXPECT_EQ(option<int>(stream, SO_DOMAIN), AF_UNIX);
  EXPECT_EQ(option<int>(stream, SO_PROTOCOL), 0);
  EXPECT_EQ(option<int>(stream, SO_ACCEPTCONN), 0);
}

TEST(Unix, Only_sockets_are_sockets) {
  const Fd null{::open("/dev/null", O_RDWR)};
  EXPECT_THAT(::send(null.get(), "x", 1, 0), FailsWith(ENOTSOCK));
  EXPECT_THAT(::listen(null.get(), 1), FailsWith(ENOTSOCK));
  EXPECT_THAT(::listen(999, 1), FailsWith(EBADF));
}

TEST(Unix, A_stream_has_no_borders) {
  const Pair pair(SOCK_STREAM);
  EXPECT_THAT(put(pair.a, "abc"), SucceedsWith(3));
  EXPECT_THAT(put(pair.a, "def"), SucceedsWith(3));
  int waiting = 0;
  EXPECT_THAT(::ioctl(pair.b.get(), FIONREAD, &waiting), Succeeds());
  EXPECT_EQ(waiting, 6);
  EXPECT_EQ(receive(pair.b, 4, MSG_PEEK), "abcd");
  EXPECT_EQ(receive(pair.b, 4), "abcd");
  EXPECT_EQ(receive(pair.b, 10), "ef");
  std::array<char, 4> buffer{};
  EXPECT_THAT(::recv(pair.b.get(), buffer.data(), 4, MSG_DONTWAIT), FailsWith(EAGAIN));
}

TEST(Unix, Datagrams_keep_theirs_and_lose_what_does_not_fit) {
  for (const int type : {SOCK_DGRAM, SOCK_SEQPACKET}) {
    const Pair pair(type);
    EXPECT_THAT(put(pair.a, "abcdef"), SucceedsWith(6));
    EXPECT_THAT(put(pair.a, "gh"), SucceedsWith(2));
    std::array<char, 4> buffer{};
    EXPECT_THAT(::recv(pair.b.get(), buffer.data(), 4, MSG_TRUNC | MSG_PEEK), SucceedsWith(6));
    iovec vector{buffer.data(), buffer.size()};
    msghdr message{};
    message.msg_iov = &vector;
    message.msg_iovlen = 1;
    EXPECT_THAT(::recvmsg(pair.b.get(), &message, 0), SucceedsWith(4));
    EXPECT_EQ(message.msg_flags, MSG_TRUNC);
    EXPECT_EQ(receive(pair.b, 10), "gh");
    EXPECT_THAT(put(pair.a, ""), SucceedsWith(0));
    EXPECT_THAT(::recv(pair.b.get(), buffer.data(), 4, MSG_DONTWAIT), SucceedsWith(0));
  }
}

TEST(Unix, Waitall_waits_for_all) {
  const Pair pair(SOCK_STREAM);
  const int status = in_child([&] {
    if (::fork() == 0) {
      for (int i = 0; i < 10; ++i) {
        (void)put(pair.a, "0123456789", 0);
      }
      ::_exit(0);
    }
    return receive(pair.b, 100, MSG_WAITALL).size() == 100 ? 0 : 1;
  });
  EXPECT_THAT(status, Exited(0));
}

TEST(Unix, The_end_of_the_peer_is_the_end_of_the_stream) {
  Pair pair(SOCK_STREAM);
  EXPECT_EQ(state(pair.b), POLLOUT);
  EXPECT_THAT(put(pair.a, "x"), SucceedsWith(1));
  pair.a.reset();
  EXPECT_EQ(state(pair.b), POLLIN | POLLOUT | POLLRDHUP | POLLHUP);
  EXPECT_EQ(receive(pair.b, 5), "x");
  char byte = 0;
  EXPECT_THAT(::read(pair.b.get(), &byte, 1), SucceedsWith(0));
  EXPECT_THAT(put(pair.b, "x"), FailsWith(EPIPE));
  EXPECT_THAT(in_child([&] {
                ::signal(SIGPIPE, SIG_DFL);
                (void)put(pair.b, "x", 0);
                return 0;
              }),
              DiedOf(SIGPIPE));
}

TEST(Unix, Unread_bytes_reset_the_peer) {
  Pair pair(SOCK_STREAM);
  EXPECT_THAT(put(pair.a, "x"), SucceedsWith(1));
  pair.b.reset();
  char byte = 0;
  EXPECT_NE(state(pair.a) & POLLERR, 0);
  EXPECT_THAT(::read(pair.a.get(), &byte, 1), FailsWith(ECONNRESET));
  EXPECT_THAT(::read(pair.a.get(), &byte, 1), SucceedsWith(0));
}

TEST(Unix, Shutdown_closes_one_direction) {
  const Pair pair(SOCK_STREAM);
  EXPECT_THAT(::shutdown(pair.a.get(), 7), FailsWith(EINVAL));
  EXPECT_THAT(::shutdown(pair.a.get(), SHUT_WR), Succeeds());
  EXPECT_THAT(put(pair.a, "x"), FailsWith(EPIPE));
  char byte = 0;
  EXPECT_THAT(::read(pair.b.get(), &byte, 1), SucceedsWith(0));
  EXPECT_EQ(state(pair.b), POLLIN | POLLOUT | POLLRDHUP);
  EXPECT_THAT(put(pair.b, "y"), SucceedsWith(1));
  EXPECT_EQ(receive(pair.a, 5), "y");
}

TEST(Unix, A_full_stream_is_not_writable) {
  const Pair pair(SOCK_STREAM);
  const std::string much(10'000, 'x');
  std::size_t sent = 0;
  for (ssize_t count = 0; (count = put(pair.a, much)) > 0;) {
    sent += static_cast<std::size_t>(count);
  }
  EXPECT_EQ(errno, EAGAIN);
  EXPECT_GT(sent, 100'000U);
  EXPECT_EQ(state(pair.a, POLLOUT), 0);
  while (sent > 0) {
    sent -= receive(pair.b, 65'536).size();
  }
  EXPECT_EQ(state(pair.a, POLLOUT), POLLOUT);
}

TEST(Unix, Abstract_names_connect) {
  const Address name = abstract("listener");
  const Fd listener = make_socket(SOCK_STREAM);
  EXPECT_THAT(::listen(listener.get(), 1), FailsWith(EINVAL));
  ASSERT_THAT(::bind(listener.get(), name.get(), name.length), Succeeds());
  EXPECT_THAT(::bind(listener.get(), name.get(), name.length), FailsWith(EINVAL));
  const Fd other = make_socket(SOCK_STREAM);
  EXPECT_THAT(::bind(other.get(), name.get(), name.length), FailsWith(EADDRINUSE));
  EXPECT_THAT(::connect(other.get(), name.get(), name.length), FailsWith(ECONNREFUSED));
  ASSERT_THAT(::listen(listener.get(), 1), Succeeds());
  EXPECT_EQ(option<int>(listener, SO_ACCEPTCONN), 1);
  EXPECT_EQ(state(listener), 0);
  ASSERT_THAT(::connect(other.get(), name.get(), name.length), Succeeds());
  EXPECT_THAT(::connect(other.get(), name.get(), name.length), FailsWith(EISCONN));
  EXPECT_EQ(state(listener), POLLIN);
  sockaddr_un peer{};
  socklen_t length = sizeof(peer);
  const Fd server{
      ::accept4(listener.get(), reinterpret_cast<sockaddr*>(&peer), &length, SOCK_CLOEXEC)};
  ASSERT_THAT(server.get(), Succeeds());
  EXPECT_EQ(length, sizeof(sa_family_t));
  length = sizeof(peer);
  EXPECT_THAT(::getpeername(other.get(), reinterpret_cast<sockaddr*>(&peer), &length), Succeeds());
  EXPECT_EQ(length, name.length);
  EXPECT_EQ(::memcmp(&peer, &name.un, length), 0);
  EXPECT_THAT(put(server, "hi"), SucceedsWith(2));
  EXPECT_EQ(receive(other, 5), "hi");
  const auto credentials = option<ucred>(other, SO_PEERCRED);
  EXPECT_EQ(credentials.pid, ::getpid());
  EXPECT_EQ(credentials.uid, ::getuid());
}

TEST(Unix, Accept_wants_a_listener) {
  const Fd stream = make_socket(SOCK_STREAM);
  EXPECT_THAT(::accept(stream.get(), nullptr, nullptr), FailsWith(EINVAL));
  const Fd datagram = make_socket(SOCK_DGRAM);
  EXPECT_THAT(::accept(datagram.get(), nullptr, nullptr), FailsWith(EOPNOTSUPP));
  EXPECT_THAT(::listen(datagram.get(), 1), FailsWith(EOPNOTSUPP));
  char byte = 0;
  EXPECT_THAT(::read(stream.get(), &byte, 1), FailsWith(EINVAL));
  EXPECT_THAT(put(stream, "x"), FailsWith(ENOTCONN));
  EXPECT_EQ(state(stream), POLLOUT | POLLHUP);
  EXPECT_THAT(::getpeername(stream.get(), nullptr, nullptr), FailsWith(ENOTCONN));
}

TEST(Unix, A_full_backlog_refuses_who_does_not_wait) {
  const Address name = abstract("backlog");
  const Fd listener = make_socket(SOCK_STREAM | SOCK_NONBLOCK);
  ASSERT_THAT(::bind(listener.get(), name.get(), name.length), Succeeds());
  ASSERT_THAT(::listen(listener.get(), 0), Succeeds());
  EXPECT_THAT(::accept(listener.get(), nullptr, nullptr), FailsWith(EAGAIN));
  const Fd first = make_socket(SOCK_STREAM | SOCK_NONBLOCK);
  const Fd second = make_socket(SOCK_STREAM | SOCK_NONBLOCK);
  EXPECT_THAT(::connect(first.get(), name.get(), name.length), Succeeds());
  EXPECT_THAT(::connect(second.get(), name.get(), name.length), FailsWith(EAGAIN));
  const Fd server{::accept(listener.get(), nullptr, nullptr)};
  EXPECT_THAT(server.get(), Succeeds());
  EXPECT_THAT(::connect(second.get(), name.get(), name.length), Succeeds());
}

TEST(Unix, A_name_of_digits_is_made_on_demand) {
  const Fd socket = make_socket(SOCK_DGRAM);
  const Address none{""};
  ASSERT_THAT(::bind(socket.get(), none.get(), sizeof(sa_family_t)), Succeeds());
  sockaddr_un name{};
  socklen_t length = sizeof(name);
  EXPECT_THAT(::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&name), &length), Succeeds());
  EXPECT_EQ(length, sizeof(sa_family_t) + 6);
  EXPECT_EQ(name.sun_path[0], '\0');
}

TEST(Unix, Datagrams_know_their_sender) {
  const Address to = abstract("to"), from = abstract("from");
  const Fd receiver = make_socket(SOCK_DGRAM), sender = make_socket(SOCK_DGRAM);
  EXPECT_THAT(put(sender, "x"), FailsWith(ENOTCONN));
  EXPECT_THAT(::sendto(sender.get(), "x", 1, 0, to.get(), to.length), FailsWith(ECONNREFUSED));
  ASSERT_THAT(::bind(receiver.get(), to.get(), to.length), Succeeds());
  ASSERT_THAT(::bind(sender.get(), from.get(), from.length), Succeeds());
  EXPECT_THAT(::sendto(sender.get(), "hello", 5, 0, to.get(), to.length), SucceedsWith(5));
  std::array<char, 8> buffer{};
  sockaddr_un name{};
  socklen_t length = sizeof(name);
  EXPECT_THAT(
      ::recvfrom(receiver.get(), buffer.data(), 8, 0, reinterpret_cast<sockaddr*>(&name), &length),
      SucceedsWith(5));
  EXPECT_EQ(length, from.length);
  EXPECT_EQ(::memcmp(&name, &from.un, length), 0);
  EXPECT_THAT(::connect(receiver.get(), from.get(), from.length), Succeeds());
  const Fd stranger = make_socket(SOCK_DGRAM);
  EXPECT_THAT(::sendto(stranger.get(), "x", 1, 0, to.get(), to.length), FailsWith(EPERM));
}

TEST(Unix, A_senders_name_is_the_one_it_has_by_then) {
  for (const int type : {SOCK_STREAM, SOCK_DGRAM}) {
    const Pair pair(type);
    EXPECT_THAT(put(pair.a, "x"), SucceedsWith(1));
    const Address later = abstract("later");
    ASSERT_THAT(::bind(pair.a.get(), later.get(), later.length), Succeeds());
    char byte = 0;
    sockaddr_un name{};
    socklen_t length = sizeof(name);
    EXPECT_THAT(::recvfrom(pair.b.get(), &byte, 1, 0, reinterpret_cast<sockaddr*>(&name), &length),
                SucceedsWith(1));
    EXPECT_EQ(length, later.length);
  }
}

TEST(Unix, Who_asks_for_credentials_gets_a_name) {
  const Pair pair(SOCK_SEQPACKET);
  const int on = 1;
  ASSERT_THAT(::setsockopt(pair.a.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)), Succeeds());
  EXPECT_THAT(put(pair.a, "x"), SucceedsWith(1));
  const Address late = abstract("late");
  EXPECT_THAT(::bind(pair.a.get(), late.get(), late.length), FailsWith(EINVAL));
  const Fd stranger = make_socket(SOCK_DGRAM);
  ASSERT_THAT(::setsockopt(stranger.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)), Succeeds());
  EXPECT_THAT(::sendto(stranger.get(), "x", 1, 0, late.get(), late.length),
              FailsWith(ECONNREFUSED));
  EXPECT_THAT(::bind(stranger.get(), late.get(), late.length), FailsWith(EINVAL));
}

TEST(Unix, Unread_bytes_are_counted) {
  for (const auto& [type, wanted] :
       {std::pair{SOCK_STREAM, 5}, std::pair{SOCK_SEQPACKET, 5}, std::pair{SOCK_DGRAM, 2}}) {
    const Pair pair(type);
    EXPECT_THAT(put(pair.a, "xx"), SucceedsWith(2));
    EXPECT_THAT(put(pair.a, "xxx"), SucceedsWith(3));
    int count = 0;
    EXPECT_THAT(::ioctl(pair.b.get(), FIONREAD, &count), Succeeds());
    EXPECT_EQ(count, wanted);
  }
}

TEST(Unix, A_datagram_queue_holds_eleven) {
  const Address to = abstract("queue");
  const Fd receiver = make_socket(SOCK_DGRAM), sender = make_socket(SOCK_DGRAM);
  ASSERT_THAT(::bind(receiver.get(), to.get(), to.length), Succeeds());
  ASSERT_THAT(::connect(sender.get(), to.get(), to.length), Succeeds());
  int count = 0;
  while (put(sender, "x") == 1) {
    ++count;
  }
  EXPECT_EQ(errno, EAGAIN);
  EXPECT_EQ(state(sender, POLLOUT), 0);
  EXPECT_EQ(receive(receiver, 5), "x");
  EXPECT_EQ(state(sender, POLLOUT), POLLOUT);
  EXPECT_GE(count, 11);
}

TEST(Unix, A_lost_peer_takes_its_datagrams_along) {
  Pair pair(SOCK_DGRAM);
  EXPECT_THAT(put(pair.a, "queued"), SucceedsWith(6));
  pair.a.reset(-1);
  EXPECT_EQ(state(pair.b), POLLIN | POLLOUT);
  EXPECT_THAT(put(pair.b, "x"), FailsWith(ECONNREFUSED));
  EXPECT_EQ(state(pair.b), POLLOUT);
  EXPECT_THAT(put(pair.b, "x"), FailsWith(ENOTCONN));
}

TEST(Unix, Datagram_sockets_that_part_lose_what_was_queued) {
  Pair pair(SOCK_DGRAM);
  EXPECT_THAT(put(pair.a, "queued"), SucceedsWith(6));
  const sockaddr nobody{.sa_family = AF_UNSPEC, .sa_data = {}};
  EXPECT_THAT(::connect(pair.b.get(), &nobody, sizeof(nobody)), Succeeds());
  EXPECT_EQ(receive(pair.b, 10), "");
  EXPECT_EQ(option<int>(pair.a, SO_ERROR), ECONNRESET);
  EXPECT_THAT(put(pair.b, "x"), FailsWith(ENOTCONN));
}

TEST(Unix, Descriptors_travel) {
  for (const int type : {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET}) {
    const Pair pair(type);
    std::array<int, 2> pipe{};
    ASSERT_THAT(::pipe(pipe.data()), Succeeds());
    const Fd writer{pipe[1]};
    {
      const Fd reader{pipe[0]};
      char byte = 'b';
      iovec vector{&byte, 1};
      alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
      msghdr message{};
      message.msg_iov = &vector;
      message.msg_iovlen = 1;
      message.msg_control = control.data();
      message.msg_controllen = control.size();
      cmsghdr* const header = CMSG_FIRSTHDR(&message);
      header->cmsg_level = SOL_SOCKET;
      header->cmsg_type = SCM_RIGHTS;
      header->cmsg_len = CMSG_LEN(sizeof(int));
      ::memcpy(CMSG_DATA(header), &pipe[0], sizeof(int));
      ASSERT_THAT(::sendmsg(pair.a.get(), &message, 0), SucceedsWith(1));
    }
    EXPECT_THAT(::write(writer.get(), "on its way", 10), SucceedsWith(10));
    std::array<char, 8> bytes{};
    iovec vector{bytes.data(), bytes.size()};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(3 * sizeof(int))> control{};
    msghdr message{};
    message.msg_iov = &vector;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    ASSERT_THAT(::recvmsg(pair.b.get(), &message, MSG_CMSG_CLOEXEC), SucceedsWith(1));
    EXPECT_EQ(message.msg_flags & ~MSG_CMSG_CLOEXEC, 0);
    const cmsghdr* const header = CMSG_FIRSTHDR(&message);
    ASSERT_NE(header, nullptr);
    ASSERT_EQ(header->cmsg_len, CMSG_LEN(sizeof(int)));
    int fd = -1;
    ::memcpy(&fd, CMSG_DATA(header), sizeof(int));
    const Fd arrived{fd};
    EXPECT_THAT(::fcntl(fd, F_GETFD), SucceedsWith(FD_CLOEXEC));
    std::array<char, 16> text{};
    EXPECT_THAT(::read(fd, text.data(), text.size()), SucceedsWith(10));
    EXPECT_STREQ(text.data(), "on its way");
  }
}

TEST(Unix, Who_peeks_sees_the_next_descriptors) {
  const Pair pair(SOCK_STREAM);
  EXPECT_THAT(put(pair.a, "first"), SucceedsWith(5));
  char byte = 'x';
  iovec data{.iov_base = &byte, .iov_len = 1};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  cmsghdr* const header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  const int sent = pair.a.get();
  ::memcpy(CMSG_DATA(header), &sent, sizeof(sent));
  EXPECT_THAT(::sendmsg(pair.a.get(), &message, 0), SucceedsWith(1));
  message.msg_controllen = 0;
  EXPECT_THAT(::recvmsg(pair.b.get(), &message, MSG_PEEK | MSG_DONTWAIT), SucceedsWith(1));
  EXPECT_EQ(message.msg_flags, MSG_CTRUNC);
  EXPECT_THAT(::recvmsg(pair.b.get(), &message, MSG_DONTWAIT), SucceedsWith(1));
  EXPECT_EQ(message.msg_flags, 0);
}

TEST(Unix, Without_room_for_them_descriptors_are_closed) {
  const Pair pair(SOCK_STREAM);
  Fd null{::open("/dev/null", O_RDONLY)};
  char byte = 'b';
  iovec vector{&byte, 1};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  cmsghdr* const header = CMSG_FIRSTHDR(&message);
  *header = {.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
  const int number = null.get();
  ::memcpy(CMSG_DATA(header), &number, sizeof(int));
  ASSERT_THAT(::sendmsg(pair.a.get(), &message, 0), SucceedsWith(1));
  message.msg_control = nullptr;
  message.msg_controllen = 0;
  EXPECT_THAT(::recvmsg(pair.b.get(), &message, 0), SucceedsWith(1));
  EXPECT_EQ(message.msg_flags, MSG_CTRUNC);
  const int bad = 999;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  ::memcpy(CMSG_DATA(header), &bad, sizeof(int));
  EXPECT_THAT(::sendmsg(pair.a.get(), &message, 0), FailsWith(EBADF));
}

TEST(Unix, Credentials_come_with_messages) {
  const Pair pair(SOCK_DGRAM);
  const int on = 1;
  ASSERT_THAT(::setsockopt(pair.b.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)), Succeeds());
  EXPECT_EQ(option<int>(pair.b, SO_PASSCRED), 1);
  EXPECT_THAT(put(pair.a, "x"), SucceedsWith(1));
  char byte = 0;
  iovec vector{&byte, 1};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(ucred))> control{};
  msghdr message{};
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  ASSERT_THAT(::recvmsg(pair.b.get(), &message, 0), SucceedsWith(1));
  const cmsghdr* const header = CMSG_FIRSTHDR(&message);
  ASSERT_NE(header, nullptr);
  EXPECT_EQ(header->cmsg_type, SCM_CREDENTIALS);
  ucred who{};
  ::memcpy(&who, CMSG_DATA(header), sizeof(who));
  EXPECT_EQ(who.pid, ::getpid());
  EXPECT_EQ(who.uid, ::geteuid());
  EXPECT_EQ(who.gid, ::getegid());
}

TEST(Unix, Time_outs_end_the_waiting) {
  const Pair pair(SOCK_STREAM);
  const timeval soon{0, 20'000};
  ASSERT_THAT(::setsockopt(pair.a.get(), SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof(soon)), Succeeds());
  EXPECT_EQ(option<timeval>(pair.a, SO_RCVTIMEO).tv_usec, 20'000);
  char byte = 0;
  EXPECT_THAT(::recv(pair.a.get(), &byte, 1, 0), FailsWith(EAGAIN));
}

TEST(Unix, Buffer_sizes_are_doubled) {
  const Pair pair(SOCK_STREAM);
  EXPECT_EQ(option<int>(pair.a, SO_SNDBUF), 212'992);
  const int size = 10'000;
  EXPECT_THAT(::setsockopt(pair.a.get(), SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), Succeeds());
  EXPECT_EQ(option<int>(pair.a, SO_SNDBUF), 20'000);
  int value = 0;
  socklen_t length = sizeof(value);
  EXPECT_THAT(::getsockopt(pair.a.get(), SOL_SOCKET, 9999, &value, &length),
              FailsWith(ENOPROTOOPT));
}

TEST(Unix, Many_messages_at_once) {
  const Pair pair(SOCK_DGRAM);
  std::array<char, 2> out{'a', 'b'};
  std::array<iovec, 2> vectors{{{&out[0], 1}, {&out[1], 1}}};
  std::array<mmsghdr, 2> messages{};
  for (std::size_t i = 0; i < 2; ++i) {
    messages[i].msg_hdr.msg_iov = &vectors[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  EXPECT_THAT(::sendmmsg(pair.a.get(), messages.data(), 2, 0), SucceedsWith(2));
  out = {};
  EXPECT_THAT(::recvmmsg(pair.b.get(), messages.data(), 2, MSG_DONTWAIT, nullptr), SucceedsWith(2));
  EXPECT_EQ(messages[1].msg_len, 1U);
  EXPECT_EQ(out, (std::array<char, 2>{'a', 'b'}));
  EXPECT_THAT(::recvmmsg(pair.b.get(), messages.data(), 2, MSG_DONTWAIT, nullptr),
              FailsWith(EAGAIN));
}

class UnixPath : public FileTest {};
INSTANTIATE_ON_FILE_SYSTEMS(UnixPath);

TEST_P(UnixPath, A_path_is_a_name) {
  const Address name{path("sock")};
  const Fd listener = make_socket(SOCK_STREAM), client = make_socket(SOCK_STREAM);
  EXPECT_THAT(::connect(client.get(), name.get(), name.length), FailsWith(ENOENT));
  ASSERT_THAT(::bind(listener.get(), name.get(), name.length), Succeeds());
  struct stat st{};
  EXPECT_THAT(::stat(path("sock").c_str(), &st), Succeeds());
  EXPECT_TRUE(S_ISSOCK(st.st_mode));
  EXPECT_THAT(::open(path("sock").c_str(), O_RDWR), FailsWith(ENXIO));
  EXPECT_THAT(::connect(client.get(), name.get(), name.length), FailsWith(ECONNREFUSED));
  const Fd other = make_socket(SOCK_STREAM);
  EXPECT_THAT(::bind(other.get(), name.get(), name.length), FailsWith(EADDRINUSE));
  ASSERT_THAT(::listen(listener.get(), 5), Succeeds());
  const Fd datagram = make_socket(SOCK_DGRAM);
  EXPECT_THAT(::connect(datagram.get(), name.get(), name.length), FailsWith(EPROTOTYPE));
  ASSERT_THAT(::connect(client.get(), name.get(), name.length), Succeeds());
  const Fd server{::accept(listener.get(), nullptr, nullptr)};
  ASSERT_THAT(server.get(), Succeeds());
  EXPECT_THAT(put(client, "through"), SucceedsWith(7));
  EXPECT_EQ(receive(server, 10), "through");
  sockaddr_un own{};
  socklen_t length = sizeof(own);
  EXPECT_THAT(::getsockname(server.get(), reinterpret_cast<sockaddr*>(&own), &length), Succeeds());
  EXPECT_EQ(std::string(own.sun_path), path("sock"));
  EXPECT_EQ(length, name.length + 1);
}

TEST_P(UnixPath, A_file_or_a_dead_socket_refuses) {
  const Fd file = make_file("plain");
  const Address plain{path("plain")}, dead{path("dead")};
  const Fd client = make_socket(SOCK_STREAM);
  EXPECT_THAT(::connect(client.get(), plain.get(), plain.length), FailsWith(ECONNREFUSED));
  {
    const Fd listener = make_socket(SOCK_STREAM);
    ASSERT_THAT(::bind(listener.get(), dead.get(), dead.length), Succeeds());
    ASSERT_THAT(::listen(listener.get(), 1), Succeeds());
  }
  EXPECT_THAT(::connect(client.get(), dead.get(), dead.length), FailsWith(ECONNREFUSED));
  EXPECT_THAT(::unlink(path("dead").c_str()), Succeeds());
}

TEST_P(UnixPath, Client_and_server_are_two_processes) {
  const Address name{path("sock")};
  const Fd listener = make_socket(SOCK_STREAM);
  ASSERT_THAT(::bind(listener.get(), name.get(), name.length), Succeeds());
  ASSERT_THAT(::listen(listener.get(), 5), Succeeds());
  const int status = in_child([&] {
    if (::fork() == 0) {
      const Fd client = make_socket(SOCK_STREAM);
      const bool sent = ::connect(client.get(), name.get(), name.length) == 0 &&
                        put(client, "ping", 0) == 4 && receive(client, 4, MSG_WAITALL) == "pong";
      ::_exit(sent ? 0 : 1);
    }
    const Fd server{::accept(listener.get(), nullptr, nullptr)};
    const bool got = receive(server, 4, MSG_WAITALL) == "ping" && put(server, "pong", 0) == 4;
    char byte = 0;
    return got && ::read(server.get(), &byte, 1) == 0 ? 0 : 1;
  });
  EXPECT_THAT(status, Exited(0));
}

}  // namespace
