// SPDX-License-Identifier: Apache-2.0
// A G1 guest's sockets, and a peer of the test's own on the loopback.
#include "hyperlight/socket_tools.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <charconv>

#include "runhl/base/file_io.h"
#include "runhl/base/unique_fd.h"

namespace runhl::vmm::hyperlight {
namespace {

using net::Mode;
using ::testing::HasSubstr;

class SocketToolsTest : public ::testing::Test {
 protected:
  void grant(Mode mode, std::vector<net::PortRange> listen = {}) {
    net::PolicySpec spec;
    spec.mode = mode;
    spec.listen = std::move(listen);
    policy_ = *net::Policy::create(std::move(spec), net::Resolver("", ""));
    host_ = std::make_unique<HostSockets>(&*policy_);
    sockets_ = std::make_unique<SocketTools>(host_.get(), &*policy_, [this] { return stopped_; });
    add_socket_tools(&tools_, sockets_.get());
  }
  std::string call(const std::string& tool, const std::string& args = "") {
    const std::string request = "{\"name\":\"" + tool + "\",\"args\":{" + args + "}}";
    return std::string(as_text(tools_.dispatch(std::as_bytes(std::span(request)))));
  }
  /// Of a bound socket of the guest's.
  std::uint16_t port_of(const std::string& fd) {
    const std::string name = call("net_getsockname", fd);
    const std::size_t at = name.find("\"port\":") + 7;
    std::uint16_t port = 0;
    std::from_chars(name.data() + at, name.data() + name.size(), port);
    return port;
  }
  static UniqueFd dial(std::uint16_t port) {
    UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to), 0);
    return fd;
  }

  std::optional<net::Policy> policy_;
  std::unique_ptr<HostSockets> host_;
  std::unique_ptr<SocketTools> sockets_;
  JsonTools tools_{1U << 20U};
  bool stopped_ = false;
};

TEST_F(SocketToolsTest, Numbers_begin_with_1_and_never_come_again) {
  grant(Mode::All);
  EXPECT_EQ(call("net_socket"), R"({"result":{"fd":1}})");
  EXPECT_EQ(call("net_close", R"("fd":1)"), R"({"result":{}})");
  EXPECT_EQ(call("net_socket", R"("type":2)"), R"({"result":{"fd":2}})");
  EXPECT_EQ(call("net_close", R"("fd":1)"), R"({"error":"bad_fd: 1"})");
  EXPECT_EQ(call("net_close", R"("fd":-1)"), R"({"error":"missing 'fd'"})");
  EXPECT_EQ(call("net_socket", R"("family":1)"),
            R"({"error":"InvalidInput: unsupported family 1"})");
}

TEST_F(SocketToolsTest, The_hosts_loopback_is_reached_under_none_of_its_names) {
  grant(Mode::All);
  call("net_socket");
  call("net_socket", R"("family":10)");
  for (const char* name : {"127.0.0.1", "127.9.9.9", "0.0.0.0"}) {
    EXPECT_THAT(call("net_connect", std::string(R"("fd":1,"port":7,"addr":")") + name + "\""),
                HasSubstr("denies connection to loopback address"))
        << name;
  }
  for (const char* name : {"::1", "::", "::ffff:127.0.0.1", "::ffff:0.0.0.0"}) {
    EXPECT_THAT(call("net_connect", std::string(R"("fd":2,"port":7,"addr":")") + name + "\""),
                HasSubstr("denies connection to loopback address"))
        << name;
  }
  EXPECT_THAT(call("net_connect", R"("fd":2,"port":7,"addr":"fe80::1")"),
              HasSubstr("link-local address [fe80::1]:7"));
  EXPECT_EQ(call("net_connect", R"("fd":1,"port":7,"addr":"localhost")"),
            R"({"error":"bad addr: invalid IP address syntax"})");
}

TEST_F(SocketToolsTest, A_port_is_bound_where_it_is_granted) {
  grant(Mode::All);
  call("net_socket");
  EXPECT_EQ(call("net_bind", R"("fd":1,"addr":"0.0.0.0")"),
            R"({"error":"Permission denied: no --port specified for bind"})");
  grant(Mode::All, {{7100, 7100}, {7000, 7002}});
  call("net_socket");
  EXPECT_THAT(call("net_bind", R"("fd":1,"addr":"0.0.0.0","port":7101)"),
              HasSubstr("port 7101 not in listen allowlist ({7000-7002, 7100})"));
}

TEST_F(SocketToolsTest, Calls_wait_for_a_peer_and_its_data) {
  grant(Mode::All, {{0, 0}});
  call("net_socket");
  EXPECT_EQ(call("net_bind", R"("fd":1,"addr":"127.0.0.1")"), R"({"result":{}})");
  EXPECT_EQ(call("net_listen", R"("fd":1)"), R"({"result":{}})");
  const UniqueFd peer = dial(port_of(R"("fd":1)"));
  EXPECT_THAT(call("net_accept", R"("fd":1)"), HasSubstr(R"("addr":"127.0.0.1","fd":2,)"));
  ASSERT_EQ(::write(peer.get(), "ping", 4), 4);
  EXPECT_EQ(call("net_recv", R"("fd":2)"), R"({"result":{"data":"cGluZw==","len":4}})");
  EXPECT_EQ(call("net_send", R"("fd":2,"data":"cG9uZw==")"), R"({"result":{"sent":4}})");
  std::array<char, 8> got{};
  EXPECT_EQ(::read(peer.get(), got.data(), got.size()), 4);
}

TEST_F(SocketToolsTest, A_call_that_waits_ends_when_the_guest_is_stopped) {
  grant(Mode::All, {{0, 0}});
  call("net_socket");
  call("net_bind", R"("fd":1,"addr":"127.0.0.1")");
  call("net_listen", R"("fd":1)");
  stopped_ = true;
  EXPECT_THAT(call("net_accept", R"("fd":1)"), HasSubstr("stopped"));
}

TEST_F(SocketToolsTest, Options_that_are_not_served_are_taken_and_read_as_nothing) {
  grant(Mode::All);
  call("net_socket");
  EXPECT_EQ(call("net_setsockopt", R"("fd":1,"level":99,"optname":99,"value":1)"),
            R"({"result":{}})");
  EXPECT_EQ(call("net_getsockopt", R"("fd":1,"level":1,"optname":3)"), R"({"result":{"value":1}})");
  EXPECT_EQ(call("net_getsockopt", R"("fd":1,"level":1,"optname":4)"), R"({"result":{"value":0}})");
}

TEST_F(SocketToolsTest, Data_is_base64_and_at_most_a_mebibyte) {
  grant(Mode::All);
  call("net_socket");
  EXPECT_EQ(call("net_send", R"("fd":1)"), R"({"error":"missing 'data'"})");
  EXPECT_THAT(call("net_send", R"("fd":1,"data":"*")"), HasSubstr("base64 decode: Invalid symbol"));
  const std::string large(((1U << 20U) / 3 + 2) * 4, 'A');
  EXPECT_THAT(call("net_send", R"("fd":1,"data":")" + large + "\""),
              HasSubstr("payload too large"));
}

}  // namespace
}  // namespace runhl::vmm::hyperlight
