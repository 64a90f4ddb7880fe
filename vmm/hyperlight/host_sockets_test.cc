// SPDX-License-Identifier: Apache-2.0
// A guest's sockets against listeners of the test's own, on the loopback.
#include "hyperlight/host_sockets.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "runhl/base/file_io.h"

namespace runhl::vmm::hyperlight {
namespace {

using net::Mode;

net::Policy policy(Mode mode, const std::vector<std::string>& targets = {},
                   std::vector<net::PortRange> listen = {}) {
  net::PolicySpec spec;
  spec.mode = mode;
  for (const std::string& text : targets) {
    spec.targets.push_back(*net::parse_target(text));
  }
  spec.listen = std::move(listen);
  auto created = net::Policy::create(std::move(spec), net::Resolver("", "nameserver 192.0.2.53"));
  EXPECT_TRUE(created);
  return std::move(*created);
}

Bytes bytes_of(std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

template <typename T>
T at(const Bytes& reply, std::size_t offset) {
  T value{};
  EXPECT_GE(reply.size(), offset + sizeof value);
  std::memcpy(&value, reply.data() + offset, sizeof value);
  return value;
}
std::int32_t status(const Bytes& reply) {
  return at<std::int32_t>(reply, 0);
}

struct Entry {
  std::int32_t socket;
  std::int16_t events, unused = 0;
};
Bytes entries(const std::vector<Entry>& list) {
  Bytes bytes(list.size() * sizeof(Entry));
  std::memcpy(bytes.data(), list.data(), bytes.size());
  return bytes;
}

constexpr std::int32_t kStreamAddress = 4 + 2 + 1;  // no source: three zeros

class HostSocketsTest : public ::testing::Test {
 protected:
  GuestAddress loopback(int port) { return {AF_INET, "127.0.0.1", port}; }
  /// A listener of the guest's, as port 0 may always be bound.
  int listener(int* port) {
    const int socket = sockets_.create(AF_INET, SOCK_STREAM, 0);
    EXPECT_EQ(sockets_.bind(socket, loopback(0)), 0);
    EXPECT_EQ(sockets_.listen(socket, 8), 0);
    *port = at<std::uint16_t>(sockets_.own_name(socket), 8);
    return socket;
  }
  /// Once it is ready, which on the loopback is soon.
  short ready(int socket, short events) {
    for (int i = 0; i < 1000; ++i) {
      const Bytes reply = sockets_.poll(entries({{socket, events}}), 0);
      if (status(reply) != 0) {
        return at<std::int16_t>(reply, 4);
      }
      (void)sockets_.sleep(std::chrono::milliseconds(10));
    }
    return 0;
  }

  net::Policy policy_ = policy(Mode::All);
  HostSockets sockets_{&policy_};
};

TEST_F(HostSocketsTest, A_stream_goes_both_ways) {
  int port = 0;
  const int server = listener(&port);
  const int client = sockets_.create(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  EXPECT_EQ(server, 3);
  EXPECT_EQ(client, 4);
  EXPECT_THAT(sockets_.connect(client, loopback(port)), ::testing::AnyOf(0, -EINPROGRESS));
  EXPECT_EQ(ready(client, POLLOUT), POLLOUT);
  EXPECT_EQ(ready(server, POLLIN), POLLIN);
  const Bytes accepted = sockets_.accept(server);
  ASSERT_EQ(status(accepted), 5);
  EXPECT_EQ(at<std::int32_t>(accepted, 4), AF_INET);
  EXPECT_EQ(at<std::uint8_t>(accepted, 10), 4);
  EXPECT_EQ(at<std::uint16_t>(accepted, 8), at<std::uint16_t>(sockets_.own_name(client), 8));
  EXPECT_EQ(at<std::uint16_t>(sockets_.peer_name(client), 8), port);

  EXPECT_EQ(sockets_.send(client, bytes_of("hello")), 5);
  EXPECT_EQ(ready(5, POLLIN), POLLIN);
  const Bytes got = sockets_.receive(5, 100);
  EXPECT_EQ(status(got), 5);
  EXPECT_EQ(as_text(std::span(got).subspan(4 + kStreamAddress)), "hello");
  EXPECT_EQ(status(sockets_.receive(5, 100)), -EAGAIN);
  EXPECT_EQ(sockets_.connect(client, loopback(port)) == 0
                ? -EISCONN
                : sockets_.connect(client, loopback(port)),
            -EISCONN);

  EXPECT_EQ(sockets_.shutdown(client, SHUT_WR), 0);
  EXPECT_EQ(ready(5, POLLIN), POLLIN);
  EXPECT_EQ(status(sockets_.receive(5, 100)), 0) << "the end";
  EXPECT_EQ(sockets_.close(5), 0);
  EXPECT_EQ(sockets_.close(5), -EBADF);
  EXPECT_EQ(sockets_.create(AF_INET6, SOCK_DGRAM, 0), 5) << "the lowest free number";
}

TEST_F(HostSocketsTest, Datagrams_say_whence_they_come) {
  const int one = sockets_.create(AF_INET, SOCK_DGRAM, 0);
  const int other = sockets_.create(AF_INET, SOCK_DGRAM, IPPROTO_UDP);
  ASSERT_EQ(sockets_.bind(one, loopback(0)), 0);
  const int port = at<std::uint16_t>(sockets_.own_name(one), 8);
  EXPECT_EQ(sockets_.send(other, bytes_of("x")), -EDESTADDRREQ);
  EXPECT_EQ(sockets_.send_to(other, bytes_of("ping"), loopback(port)), 4);
  EXPECT_EQ(ready(one, POLLIN), POLLIN);
  const Bytes got = sockets_.receive(one, 2);
  EXPECT_EQ(status(got), 2) << "the rest is lost, as on Linux";
  EXPECT_EQ(at<std::int32_t>(got, 4), AF_INET);
  EXPECT_EQ(at<std::uint16_t>(got, 8), at<std::uint16_t>(sockets_.own_name(other), 8));
  EXPECT_EQ(sockets_.connect(other, loopback(port)), 0);
  EXPECT_EQ(sockets_.send(other, bytes_of("x")), 1);
  EXPECT_EQ(sockets_.disconnect(other), 0);
  EXPECT_EQ(sockets_.send(other, bytes_of("x")), -EDESTADDRREQ);
}

TEST_F(HostSocketsTest, What_is_refused_has_linuxs_numbers) {
  EXPECT_EQ(sockets_.create(AF_UNIX, SOCK_STREAM, 0), -EAFNOSUPPORT);
  EXPECT_EQ(sockets_.create(AF_NETLINK, SOCK_DGRAM, 0), -EAFNOSUPPORT);
  EXPECT_EQ(sockets_.create(AF_INET, SOCK_RAW, 0), -EPROTONOSUPPORT);
  EXPECT_EQ(sockets_.create(AF_INET, SOCK_STREAM, -1), -EINVAL);
  EXPECT_EQ(sockets_.create(AF_INET, SOCK_STREAM, IPPROTO_UDP), -EPROTONOSUPPORT);
  EXPECT_EQ(sockets_.create(AF_INET, SOCK_DGRAM, IPPROTO_ICMP), -EPROTONOSUPPORT);
  const int socket = sockets_.create(AF_INET, SOCK_STREAM, 0);
  EXPECT_EQ(sockets_.connect(socket, {AF_INET, "localhost", 80}), -EINVAL);
  EXPECT_EQ(sockets_.connect(socket, {AF_INET, "127.0.0.1", 65536}), -EINVAL);
  EXPECT_EQ(sockets_.connect(socket, {AF_INET6, "127.0.0.1", 80}), -EINVAL);
  EXPECT_EQ(sockets_.bind(socket, loopback(-1)), -EINVAL);
  EXPECT_EQ(sockets_.bind(socket, loopback(8080)), -EACCES) << "no --port";
  EXPECT_EQ(sockets_.connect(socket, {AF_INET, "169.254.169.254", 80}), -EACCES);
  EXPECT_EQ(sockets_.disconnect(socket), -EOPNOTSUPP);
  for (const int bad : {-1, 0, 2, 4, 1000000}) {
    EXPECT_EQ(sockets_.connect(bad, loopback(80)), -EBADF);
    EXPECT_EQ(sockets_.send(bad, {}), -EBADF);
    EXPECT_EQ(sockets_.send_to(bad, {}, loopback(80)), -EBADF);
    EXPECT_EQ(sockets_.bind(bad, loopback(0)), -EBADF);
    EXPECT_EQ(sockets_.listen(bad, 1), -EBADF);
    EXPECT_EQ(sockets_.shutdown(bad, 0), -EBADF);
    EXPECT_EQ(sockets_.disconnect(bad), -EBADF);
    EXPECT_EQ(sockets_.option(bad, SOL_SOCKET, SO_TYPE), -EBADF);
    EXPECT_EQ(sockets_.set_option(bad, SOL_SOCKET, SO_KEEPALIVE, 1), -EBADF);
    EXPECT_EQ(status(sockets_.accept(bad)), -EBADF);
    EXPECT_EQ(status(sockets_.receive(bad, 1)), -EBADF);
    EXPECT_EQ(status(sockets_.own_name(bad)), -EBADF);
    EXPECT_EQ(status(sockets_.peer_name(bad)), -EBADF);
  }
}

TEST_F(HostSocketsTest, Without_a_policy_there_are_none) {
  HostSockets none(nullptr);
  EXPECT_EQ(none.create(AF_INET, SOCK_STREAM, 0), -EACCES);
}

TEST_F(HostSocketsTest, A_listed_port_may_be_bound) {
  net::Policy ports = policy(Mode::None, {}, {{20000, 65535}});
  HostSockets sockets(&ports);
  const int socket = sockets.create(AF_INET, SOCK_STREAM, 0);
  EXPECT_EQ(sockets.bind(socket, loopback(19999)), -EACCES);
  EXPECT_THAT(sockets.bind(socket, loopback(31234)), ::testing::AnyOf(0, -EADDRINUSE));
  EXPECT_EQ(sockets.connect(sockets.create(AF_INET, SOCK_STREAM, 0), {AF_INET, "10.0.0.1", 80}),
            -EACCES);
}

TEST_F(HostSocketsTest, Under_a_list_what_goes_to_port_53_must_be_a_question) {
  net::Policy list = policy(Mode::Allow, {"192.0.2.1"});
  HostSockets sockets(&list);
  const int socket = sockets.create(AF_INET, SOCK_DGRAM, 0);
  EXPECT_EQ(sockets.send_to(socket, bytes_of("ping"), {AF_INET, "192.0.2.1", 53}), -EACCES);
  EXPECT_EQ(sockets.send_to(socket, bytes_of("ping"), {AF_INET, "192.0.2.2", 9}), -EACCES);
  const std::int32_t connected = sockets.connect(socket, {AF_INET, "192.0.2.53", 53});
  if (connected == -ENETUNREACH) {
    GTEST_SKIP() << "no route to anywhere";
  }
  ASSERT_EQ(connected, 0);
  EXPECT_EQ(sockets.send(socket, bytes_of("ping")), -EACCES);
}

TEST_F(HostSocketsTest, Options_are_those_of_the_contract) {
  const int socket = sockets_.create(AF_INET, SOCK_STREAM, 0);
  EXPECT_EQ(sockets_.option(socket, SOL_SOCKET, SO_TYPE), SOCK_STREAM);
  EXPECT_EQ(sockets_.option(socket, SOL_SOCKET, SO_DOMAIN), AF_INET);
  EXPECT_EQ(sockets_.set_option(socket, IPPROTO_TCP, TCP_NODELAY, 1), 0);
  EXPECT_EQ(sockets_.option(socket, IPPROTO_TCP, TCP_NODELAY), 1);
  EXPECT_EQ(sockets_.set_option(socket, SOL_SOCKET, SO_TYPE, 1), -ENOPROTOOPT);
  EXPECT_EQ(sockets_.set_option(socket, SOL_SOCKET, SO_MARK, 1), -ENOPROTOOPT);
  EXPECT_EQ(sockets_.set_option(socket, SOL_SOCKET, SO_BINDTODEVICE, 1), -ENOPROTOOPT);
  EXPECT_EQ(sockets_.set_option(socket, SOL_SOCKET, SO_ATTACH_FILTER, 1), -ENOPROTOOPT);
  EXPECT_EQ(sockets_.option(socket, SOL_SOCKET, SO_LINGER), -ENOPROTOOPT);
  for (const int structured : {SO_LINGER, SO_RCVTIMEO, SO_SNDTIMEO}) {
    EXPECT_EQ(sockets_.set_option(socket, SOL_SOCKET, structured, 1), -EINVAL);
  }
  EXPECT_EQ(sockets_.set_option(socket, IPPROTO_IP, IP_RECVERR, 1), 0);
  EXPECT_EQ(sockets_.option(socket, IPPROTO_IP, IP_RECVERR), 0);
}

TEST_F(HostSocketsTest, Polling_never_waits_and_knows_what_is_not_open) {
  int port = 0;
  const int server = listener(&port);
  EXPECT_EQ(status(sockets_.poll(entries({{server, POLLIN}}), 1)), -EINVAL);
  EXPECT_EQ(status(sockets_.poll(Bytes(7), 0)), -EINVAL);
  EXPECT_EQ(status(sockets_.poll(Bytes(8 * 1025), 0)), -EINVAL);
  EXPECT_EQ(status(sockets_.poll({}, 0)), 0);
  const Bytes reply = sockets_.poll(entries({{server, POLLIN}, {77, POLLIN}, {-1, 0}}), 0);
  EXPECT_EQ(status(reply), 2);
  EXPECT_EQ(reply.size(), 4U + 3 * 2);
  EXPECT_EQ(at<std::int16_t>(reply, 4), 0);
  EXPECT_EQ(at<std::int16_t>(reply, 6), POLLNVAL);
}

TEST_F(HostSocketsTest, A_guest_waits_for_what_was_not_ready) {
  int port = 0;
  const int server = listener(&port);
  EXPECT_FALSE(sockets_.waits());
  (void)sockets_.poll(entries({{server, POLLIN}}), 0);
  EXPECT_TRUE(sockets_.waits());
  EXPECT_FALSE(sockets_.sleep(std::chrono::milliseconds(1)));
  const int client = sockets_.create(AF_INET, SOCK_STREAM, 0);
  (void)sockets_.connect(client, loopback(port));
  EXPECT_TRUE(sockets_.sleep(std::chrono::seconds(10)));
  EXPECT_EQ(ready(server, POLLIN), POLLIN);
  EXPECT_FALSE(sockets_.waits()) << "it knows by now";
  (void)sockets_.poll(entries({{server, POLLIN}}), 0);
  (void)sockets_.accept(server);
  (void)sockets_.poll(entries({{server, POLLIN}}), 0);
  EXPECT_TRUE(sockets_.waits());
  (void)sockets_.close(server);
  EXPECT_FALSE(sockets_.waits());
}

TEST_F(HostSocketsTest, A_send_that_would_wait_is_waited_for) {
  int port = 0;
  const int server = listener(&port);
  const int client = sockets_.create(AF_INET, SOCK_STREAM, 0);
  (void)sockets_.connect(client, loopback(port));
  EXPECT_EQ(ready(client, POLLOUT), POLLOUT);
  const Bytes much(60000);
  std::int32_t sent = 0;
  for (int i = 0; i < 1000 && sent >= 0; ++i) {
    sent = sockets_.send(client, much);
  }
  EXPECT_EQ(sent, -EAGAIN);
  EXPECT_TRUE(sockets_.waits());
  (void)server;
}

TEST_F(HostSocketsTest, There_is_a_limit_to_their_number) {
  int socket = 0, count = 0;
  while ((socket = sockets_.create(AF_INET, SOCK_DGRAM, 0)) > 0) {
    ++count;
  }
  EXPECT_EQ(socket, -EMFILE);
  EXPECT_LE(count, 1024);
  EXPECT_GT(count, 100);
}

}  // namespace
}  // namespace runhl::vmm::hyperlight
