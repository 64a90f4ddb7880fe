// SPDX-License-Identifier: Apache-2.0
// Against a name server of the test's own, on the loopback.
#include "runhl/vmm/net/resolver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <functional>
#include <thread>

#include "net/dns_test_messages.h"
#include "runhl/base/unique_fd.h"

namespace runhl::vmm::net {
namespace {

using namespace std::chrono_literals;
using ::testing::UnorderedElementsAre;

class Server {
 public:
  using Answer = std::function<std::vector<std::byte>(std::span<const std::byte> query)>;

  explicit Server(Answer answer) : answer_(std::move(answer)) {
    SocketAddress address = socket_address(Endpoint{*parse_address("127.0.0.1"), 0});
    fd_.reset(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (!fd_) {
      std::abort();
    }
    EXPECT_EQ(::bind(fd_.get(), address.get(), address.size), 0);
    EXPECT_EQ(::getsockname(fd_.get(), address.get(), &address.size), 0);
    endpoint = endpoint_of(address);
    thread_ = std::thread([this] { serve(); });
  }
  ~Server() {
    (void)::shutdown(fd_.get(), SHUT_RDWR);  // wakes it
    thread_.join();
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  Server(Server&&) = delete;
  Server& operator=(Server&&) = delete;

  Endpoint endpoint;

 private:
  void serve() {
    for (;;) {
      std::array<std::byte, 512> query{};
      SocketAddress from;
      from.size = sizeof from.storage;
      const ssize_t got =
          ::recvfrom(fd_.get(), query.data(), query.size(), 0, from.get(), &from.size);
      if (got <= 0) {
        return;
      }
      const auto answer = answer_(std::span(query).first(static_cast<std::size_t>(got)));
      (void)::sendto(fd_.get(), answer.data(), answer.size(), 0, from.get(), from.size);
    }
  }

  Answer answer_;
  UniqueFd fd_;
  std::thread thread_;
};

const Address kV4 = *parse_address("10.0.0.1"), kV6 = *parse_address("fd00::1");

bool asks_for_v6(std::span<const std::byte> query) {
  return query[query.size() - 11 - 3] == std::byte{28};
}
std::vector<std::byte> good(std::span<const std::byte> query) {
  return answer_to(query, std::vector<Address>{asks_for_v6(query) ? kV6 : kV4});
}

TEST(Resolver, Asks_a_server_for_both_families) {
  const Server server(good);
  const auto found = Resolver({server.endpoint}).look_up("a.test", 5s);
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_THAT(*found, UnorderedElementsAre(kV4, kV6));
}

TEST(Resolver, Knows_the_hosts_table_first) {
  const Resolver resolver("10.0.0.9 Me.Test me # x\n::1 me\nbad bad\n", "");
  EXPECT_THAT(*resolver.look_up("me", 0s),
              UnorderedElementsAre(*parse_address("10.0.0.9"), *parse_address("::1")));
  EXPECT_TRUE(resolver.look_up("me.test", 0s));
  EXPECT_FALSE(resolver.look_up("x", 0s));
}

TEST(Resolver, Reads_name_servers_of_the_host) {
  const Resolver resolver(
      "", "# no\nnameserver 10.0.0.2\noptions x\nnameserver fd00::2 \nnameserver\n");
  ASSERT_EQ(resolver.servers().size(), 2U);
  EXPECT_EQ(resolver.servers()[0], (Endpoint{*parse_address("10.0.0.2"), 53}));
}

TEST(Resolver, A_name_that_is_not_there_is_not_found) {
  const Server server([](auto query) { return answer_to(query, {}, 3); });
  const auto found = Resolver({server.endpoint}).look_up("a.test", 5s);
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, ErrorCode::NotFound);
}

TEST(Resolver, Answers_to_other_questions_count_for_nothing) {
  const Server server([](auto query) {
    std::vector<std::byte> changed(query.begin(), query.end());
    changed[0] ^= std::byte{0x55};
    return answer_to(changed, std::vector<Address>{kV4});
  });
  const auto found = Resolver({server.endpoint}).look_up("a.test", 200ms);
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, ErrorCode::Timeout);
}

TEST(Resolver, Goes_to_the_next_server_when_one_fails) {
  const Server broken([](auto query) { return answer_to(query, {}, 2); });
  const Server server(good);
  const auto found = Resolver({broken.endpoint, server.endpoint}).look_up("a.test", 5s);
  ASSERT_TRUE(found) << found.error().message;
}

TEST(Resolver, Is_not_patient_for_longer_than_it_is_told) {
  const Server silent([](auto) { return std::vector<std::byte>{}; });
  const auto before = std::chrono::steady_clock::now();
  const auto found = Resolver({silent.endpoint}).look_up("a.test", 100ms);
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, ErrorCode::Timeout);
  EXPECT_LT(std::chrono::steady_clock::now() - before, 1400ms);
}

}  // namespace
}  // namespace runhl::vmm::net
