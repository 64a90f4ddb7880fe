// SPDX-License-Identifier: Apache-2.0
// Sockets that travel through sockets, and are lost on the way: nobody can receive them any more.
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cstddef>
#include <vector>

#include "syscall_test.h"

namespace {

struct Ends {
  Fd a, b;
};

Ends make_pair(int type = SOCK_STREAM) {
  std::array<int, 2> fds{};
  EXPECT_THAT(::socketpair(AF_UNIX, type, 0, fds.data()), Succeeds());
  return {Fd(fds[0]), Fd(fds[1])};
}

Ends make_pipe() {
  std::array<int, 2> fds{};
  EXPECT_THAT(::pipe(fds.data()), Succeeds());
  return {Fd(fds[0]), Fd(fds[1])};
}

ssize_t send_descriptors(int to, const std::vector<int>& fds, const sockaddr_un* name = nullptr,
                         socklen_t name_size = 0) {
  char byte = 'x';
  iovec data{.iov_base = &byte, .iov_len = 1};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(8 * sizeof(int))> control{};
  msghdr message{};
  message.msg_name = const_cast<sockaddr_un*>(name);
  message.msg_namelen = name_size;
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = CMSG_SPACE(fds.size() * sizeof(int));
  cmsghdr* const header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
  std::memcpy(CMSG_DATA(header), fds.data(), fds.size() * sizeof(int));
  return ::sendmsg(to, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/// The first descriptor that came with the next byte, or -1. Others are closed.
int receive_descriptor(int from) {
  char byte = 0;
  iovec data{.iov_base = &byte, .iov_len = 1};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(8 * sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  if (::recvmsg(from, &message, MSG_DONTWAIT) < 0 || CMSG_FIRSTHDR(&message) == nullptr) {
    return -1;
  }
  const cmsghdr* const header = CMSG_FIRSTHDR(&message);
  std::vector<int> fds((header->cmsg_len - CMSG_LEN(0)) / sizeof(int));
  std::memcpy(fds.data(), CMSG_DATA(header), fds.size() * sizeof(int));
  for (std::size_t i = 1; i < fds.size(); ++i) {
    ::close(fds[i]);
  }
  return fds.at(0);
}

/// Whether the last writer of a pipe goes within ten seconds. Linux may have looked for lost
/// sockets before the last of them was closed, and looks again when another one ends.
bool loses_its_writers(const Fd& reader) {
  pollfd watched{.fd = reader.get(), .events = POLLIN, .revents = 0};
  for (int tries = 0; tries < 100; ++tries) {
    if (::poll(&watched, 1, 100) == 1) {
      return (watched.revents & POLLHUP) != 0;
    }
    (void)make_pair();
  }
  return false;
}

bool has_writers(const Fd& reader) {
  pollfd watched{.fd = reader.get(), .events = POLLIN, .revents = 0};
  return ::poll(&watched, 1, 0) == 0;
}

TEST(Flight, A_socket_that_waits_in_its_own_queue_is_collected) {
  for (const int type : {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET}) {
    Ends pipe = make_pipe();
    {
      const Ends pair = make_pair(type);
      ASSERT_THAT(send_descriptors(pair.a.get(), {pair.b.get(), pipe.b.get()}), SucceedsWith(1));
    }
    pipe.b.reset();
    EXPECT_TRUE(loses_its_writers(pipe.a)) << type;
  }
}

TEST(Flight, Sockets_that_wait_in_each_others_queues_are_collected) {
  Ends pipe = make_pipe();
  {
    std::array<Ends, 3> ring{make_pair(), make_pair(), make_pair()};
    for (std::size_t i = 0; i < ring.size(); ++i) {
      const Ends& next = ring[(i + 1) % ring.size()];
      ASSERT_THAT(send_descriptors(ring[i].a.get(), {next.b.get(), pipe.b.get()}), SucceedsWith(1));
    }
  }
  pipe.b.reset();
  EXPECT_TRUE(loses_its_writers(pipe.a));
}

TEST(Flight, What_somebody_can_come_by_stays) {
  Ends pipe = make_pipe();
  Ends outer = make_pair();
  {
    const Ends inner = make_pair();
    ASSERT_THAT(send_descriptors(inner.a.get(), {inner.b.get(), pipe.b.get()}), SucceedsWith(1));
    ASSERT_THAT(send_descriptors(outer.a.get(), {inner.b.get()}), SucceedsWith(1));
  }
  pipe.b.reset();
  (void)make_pair();  // closed at once: an occasion to look
  EXPECT_TRUE(has_writers(pipe.a));
  {
    const Fd inner(receive_descriptor(outer.b.get()));
    ASSERT_THAT(inner.get(), Succeeds());
    const Fd again(receive_descriptor(inner.get()));
    EXPECT_THAT(again.get(), Succeeds());
  }
  EXPECT_TRUE(loses_its_writers(pipe.a)) << "the message's other descriptors were closed";
}

TEST(Flight, A_connection_that_nobody_accepts_is_as_its_listener) {
  Ends pipe = make_pipe();
  sockaddr_un name{.sun_family = AF_UNIX, .sun_path = {}};
  const std::string text = "flight" + std::to_string(::getpid());
  text.copy(name.sun_path + 1, text.size());
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + text.size());
  {
    const Fd listener(::socket(AF_UNIX, SOCK_STREAM, 0));
    ASSERT_THAT(::bind(listener.get(), reinterpret_cast<sockaddr*>(&name), size), Succeeds());
    ASSERT_THAT(::listen(listener.get(), 4), Succeeds());
    const Fd client(::socket(AF_UNIX, SOCK_STREAM, 0));
    ASSERT_THAT(::connect(client.get(), reinterpret_cast<sockaddr*>(&name), size), Succeeds());
    ASSERT_THAT(send_descriptors(client.get(), {listener.get(), pipe.b.get()}), SucceedsWith(1));
  }
  pipe.b.reset();
  EXPECT_TRUE(loses_its_writers(pipe.a));
}

TEST(Flight, The_end_of_a_process_is_an_occasion_too) {
  Ends pipe = make_pipe();
  const pid_t child = ::fork();
  if (child == 0) {
    const Ends pair = make_pair();
    ::_exit(send_descriptors(pair.a.get(), {pair.b.get(), pipe.b.get()}) == 1 ? 0 : 1);
  }
  pipe.b.reset();
  EXPECT_THAT(reap(child), Exited(0));
  EXPECT_TRUE(loses_its_writers(pipe.a));
}

TEST(Flight, Sockets_travel_in_sockets_that_travel) {
  for (const bool open_at_the_end : {true, false}) {
    std::vector<Ends> chain;
    chain.push_back(make_pair(SOCK_DGRAM));
    for (int depth = 0; depth < 12; ++depth) {
      chain.push_back(make_pair(SOCK_DGRAM));
      const Ends& inner = chain[chain.size() - 2];
      ASSERT_THAT(send_descriptors(chain.back().a.get(), {inner.b.get()}), SucceedsWith(1));
    }
    if (!open_at_the_end) {
      // All but the outermost live in flight alone, and end with it.
      chain.erase(chain.begin(), chain.end() - 1);
    }
  }
}

TEST(Flight, Many_lost_sockets_leave_room_for_more) {
  const int status = in_child([] {
    for (int round = 0; round < 3'000; ++round) {
      const Ends pair = make_pair();
      int tries = 0;
      while (send_descriptors(pair.a.get(), {pair.a.get(), pair.b.get()}) != 1) {
        // Linux collects behind the caller's back: as many as it may open are too many at once.
        if (errno != ETOOMANYREFS || ++tries > 5'000) {
          return 1;
        }
        ::usleep(1'000);
        (void)make_pair();  // closed at once: an occasion to collect
      }
    }
    return 0;
  });
  EXPECT_THAT(status, Exited(0));
}

// ---- packets -----------------------------------------------------------------------------------

TEST(Packets, Unread_ones_reset_the_peer) {
  for (const std::size_t second : {0U, 1U}) {
    Ends pair = make_pair(SOCK_SEQPACKET);
    ASSERT_THAT(::send(pair.a.get(), "x", 1, 0), Succeeds());
    ASSERT_THAT(::send(pair.a.get(), "x", second, 0), Succeeds());
    ASSERT_THAT(::send(pair.b.get(), "y", 1, 0), Succeeds());
    pair.b.reset();
    pollfd watched{.fd = pair.a.get(), .events = POLLIN | POLLOUT | POLLRDHUP, .revents = 0};
    EXPECT_THAT(::poll(&watched, 1, 0), SucceedsWith(1));
    EXPECT_EQ(watched.revents, POLLIN | POLLOUT | POLLERR | POLLHUP | POLLRDHUP);
    std::array<char, 4> bytes{};
    EXPECT_THAT(::recv(pair.a.get(), bytes.data(), 4, MSG_DONTWAIT), FailsWith(ECONNRESET));
    EXPECT_THAT(::recv(pair.a.get(), bytes.data(), 4, MSG_DONTWAIT), SucceedsWith(1));
    EXPECT_THAT(::recv(pair.a.get(), bytes.data(), 4, MSG_DONTWAIT), SucceedsWith(0));
    EXPECT_THAT(::send(pair.a.get(), "x", 1, MSG_DONTWAIT), FailsWith(EPIPE));
  }
}

TEST(Packets, An_empty_one_alone_resets_nobody) {
  for (const int count : {1, 2}) {
    Ends pair = make_pair(SOCK_SEQPACKET);
    for (int i = 0; i < count; ++i) {
      ASSERT_THAT(::send(pair.a.get(), "", 0, 0), Succeeds());
    }
    pair.b.reset();
    char byte = 0;
    EXPECT_THAT(::send(pair.a.get(), "x", 1, MSG_DONTWAIT),
                FailsWith(count == 1 ? EPIPE : ECONNRESET));
    EXPECT_THAT(::recv(pair.a.get(), &byte, 1, MSG_DONTWAIT), SucceedsWith(0));
  }
}

TEST(Packets, A_reset_is_told_to_who_sends) {
  Ends pair = make_pair(SOCK_SEQPACKET);
  ASSERT_THAT(::send(pair.a.get(), "x", 1, 0), Succeeds());
  pair.b.reset();
  EXPECT_THAT(::write(pair.a.get(), "x", 1), FailsWith(ECONNRESET));
  EXPECT_THAT(::write(pair.a.get(), "x", 1), FailsWith(EPIPE));
  EXPECT_THAT(::send(pair.a.get(), "x", 1, MSG_NOSIGNAL), FailsWith(EPIPE));
}

TEST(Packets, A_shut_peer_that_closes_resets_as_well) {
  for (const int how : {SHUT_RD, SHUT_WR, SHUT_RDWR}) {
    Ends pair = make_pair(SOCK_SEQPACKET);
    ASSERT_THAT(::send(pair.a.get(), "x", 1, 0), Succeeds());
    ASSERT_THAT(::shutdown(pair.b.get(), how), Succeeds());
    EXPECT_THAT(::send(pair.a.get(), "x", 1, MSG_DONTWAIT),
                how == SHUT_WR ? ::testing::Matcher<ssize_t>(Succeeds())
                               : ::testing::Matcher<ssize_t>(FailsWith(EPIPE)))
        << how;
    pair.b.reset();
    EXPECT_THAT(::send(pair.a.get(), "x", 1, MSG_DONTWAIT), FailsWith(ECONNRESET)) << how;
    EXPECT_THAT(::send(pair.a.get(), "x", 1, MSG_DONTWAIT), FailsWith(EPIPE)) << how;
  }
}

}  // namespace
