// SPDX-License-Identifier: Apache-2.0
#include "runhl/vmm/net/policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/dns_test_messages.h"

namespace runhl::vmm::net {
namespace {

using ::testing::HasSubstr;

constexpr std::string_view kHosts =
    "127.0.0.1 localhost\n"
    "10.1.1.1 listed.test  Other.Test # and a comment\n"
    "fd00::5 listed.test\n";
// Documentation's own addresses: nobody answers there.
constexpr std::string_view kResolvConf = "search corp.test\nnameserver 192.0.2.53\n";

Endpoint endpoint(std::string_view text, std::uint16_t port) {
  const auto address = parse_address(text);
  EXPECT_TRUE(address) << text;
  return {address.value_or(Address{}), port};
}

Policy policy(Mode mode, const std::vector<std::string>& targets = {},
              const std::vector<std::string>& ports = {}) {
  PolicySpec spec;
  spec.mode = mode;
  for (const std::string& text : targets) {
    const auto target = parse_target(text);
    EXPECT_TRUE(target) << target.error().message;
    spec.targets.push_back(*target);
  }
  for (const std::string& text : ports) {
    spec.listen.push_back(*parse_port_range(text));
  }
  auto created = Policy::create(std::move(spec), Resolver(kHosts, kResolvConf));
  EXPECT_TRUE(created) << created.error().message;
  return std::move(*created);
}

bool may_connect(Policy& policy, std::string_view address, std::uint16_t port = 80) {
  return policy.may_send(endpoint(address, port), Transport::Tcp);
}

TEST(Target, Is_a_name_an_address_or_a_network_with_a_port_or_without) {
  EXPECT_EQ(parse_target("Example.com")->name, "example.com");
  EXPECT_EQ(parse_target("example.com:443")->port, 443);
  EXPECT_EQ(parse_target("10.0.0.1")->prefix, 32U);
  EXPECT_EQ(parse_target("10.0.0.1:80")->port, 80);
  EXPECT_EQ(parse_target("10.0.0.0/8")->prefix, 8U);
  EXPECT_EQ(parse_target("10.0.0.0/8:80")->port, 80);
  EXPECT_EQ(parse_target("fd00::/8")->prefix, 8U);
  EXPECT_EQ(parse_target("fd00::1")->prefix, 128U);
  EXPECT_EQ(parse_target("[fd00::/8]:80")->port, 80);
  EXPECT_EQ(parse_target("[fd00::1]")->port, 0);
  EXPECT_EQ(parse_target("::ffff:10.0.0.1")->prefix, 32U);
  EXPECT_EQ(parse_target("0.0.0.0/0")->prefix, 0U);
  for (const char* bad :
       {"", ":80", "a:0", "a:65536", "a:", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.1/8",
        "a/8", "fd00::/129", "fd00::1/64", "[fd00::1", "[fd00::1]x", "a b", "http://a", "*.test"}) {
    EXPECT_FALSE(parse_target(bad)) << bad;
  }
}

TEST(PortRange, Is_one_a_range_or_all) {
  EXPECT_EQ(parse_port_range("80")->last, 80);
  EXPECT_EQ(parse_port_range("80-90")->last, 90);
  EXPECT_EQ(parse_port_range("all")->first, 1);
  EXPECT_EQ(parse_port_range("all")->last, 65535);
  for (const char* bad : {"", "0", "65536", "x", "9-5", "1-", "-1", "1-2-3", "+1", " 1"}) {
    EXPECT_FALSE(parse_port_range(bad)) << bad;
  }
}

TEST(Policy, Link_local_and_metadata_are_never_reached) {
  for (Policy one : {policy(Mode::All), policy(Mode::Allow, {"169.254.0.0/16", "fe80::/10"}),
                     policy(Mode::Block, {"10.0.0.1"})}) {
    for (const char* address : {"169.254.169.254", "169.254.0.1", "::ffff:169.254.169.254",
                                "fe80::1", "febf::1", "fd00:ec2::254"}) {
      EXPECT_FALSE(may_connect(one, address)) << address;
    }
  }
}

TEST(Policy, Everywhere_is_the_loopback_too_and_a_list_closes_it) {
  Policy all = policy(Mode::All);
  Policy allow = policy(Mode::Allow, {"127.0.0.1", "::1", "0.0.0.0/0", "::/0"});
  Policy block = policy(Mode::Block, {"10.0.0.1"});
  for (const char* address :
       {"127.0.0.1", "127.9.9.9", "::1", "0.0.0.0", "::", "::ffff:127.0.0.1"}) {
    EXPECT_TRUE(may_connect(all, address)) << address;
    EXPECT_FALSE(may_connect(allow, address)) << address;
    EXPECT_FALSE(may_connect(block, address)) << address;
  }
  EXPECT_TRUE(may_connect(allow, "10.0.0.1"));
}

TEST(Policy, An_allow_list_lets_through_what_it_names) {
  Policy allow = policy(Mode::Allow, {"10.9.9.1", "10.8.0.0/16:443", "listed.test:80"});
  EXPECT_TRUE(may_connect(allow, "10.9.9.1"));
  EXPECT_TRUE(may_connect(allow, "::ffff:10.9.9.1"));
  EXPECT_FALSE(may_connect(allow, "10.9.9.2"));
  EXPECT_TRUE(may_connect(allow, "10.8.255.1", 443));
  EXPECT_FALSE(may_connect(allow, "10.8.255.1", 80));
  EXPECT_TRUE(may_connect(allow, "10.1.1.1", 80)) << "by name";
  EXPECT_FALSE(may_connect(allow, "10.1.1.1", 81));
  EXPECT_TRUE(may_connect(allow, "fd00::5", 80));
}

TEST(Policy, A_block_list_lets_through_the_rest) {
  Policy block = policy(Mode::Block, {"10.9.9.2", "10.8.0.0/16:443", "listed.test"});
  EXPECT_TRUE(may_connect(block, "10.9.9.1"));
  EXPECT_FALSE(may_connect(block, "10.9.9.2"));
  EXPECT_FALSE(may_connect(block, "::ffff:10.9.9.2"));
  EXPECT_FALSE(may_connect(block, "10.8.0.1", 443));
  EXPECT_TRUE(may_connect(block, "10.8.0.1", 80));
  EXPECT_FALSE(may_connect(block, "10.1.1.1"));
}

TEST(Policy, A_name_without_an_address_cannot_be_listed) {
  PolicySpec spec;
  spec.mode = Mode::Allow;
  spec.targets = {*parse_target("nosuch.test")};
  const auto created = Policy::create(std::move(spec), Resolver(kHosts, ""));
  ASSERT_FALSE(created);
  EXPECT_THAT(created.error().message, HasSubstr("cannot resolve \"nosuch.test\""));
}

TEST(Policy, Ports_alone_let_nothing_be_sent_first) {
  Policy ports = policy(Mode::None, {}, {"8080", "9000-9010"});
  EXPECT_FALSE(may_connect(ports, "10.0.0.1"));
  for (const auto& [port, may] : {std::pair{0, true},
                                  {8080, true},
                                  {8081, false},
                                  {9000, true},
                                  {9010, true},
                                  {9011, false}}) {
    EXPECT_EQ(ports.may_bind(static_cast<std::uint16_t>(port)), may) << port;
  }
  EXPECT_FALSE(policy(Mode::All).may_bind(8080));
  EXPECT_FALSE(ports.binds_low_ports());
  EXPECT_TRUE(policy(Mode::All, {}, {"all"}).binds_low_ports());
}

TEST(Policy, A_known_resolver_is_asked_over_udp_alone) {
  Policy allow = policy(Mode::Allow, {"listed.test"});
  for (const char* server : {"192.0.2.53", "8.8.8.8", "1.1.1.1"}) {
    EXPECT_TRUE(allow.may_send(endpoint(server, 53), Transport::Udp)) << server;
    EXPECT_FALSE(allow.may_send(endpoint(server, 53), Transport::Tcp)) << server;
    EXPECT_FALSE(allow.may_send(endpoint(server, 54), Transport::Udp)) << server;
  }
  EXPECT_FALSE(allow.may_send(endpoint("192.0.2.54", 53), Transport::Udp));
}

TEST(Policy, Questions_must_be_of_names_that_the_list_allows) {
  const Policy allow = policy(Mode::Allow, {"listed.test"});
  const Policy block = policy(Mode::Block, {"listed.test"});
  const auto listed = make_query(1, "listed.test", kTypeA);
  const auto other = make_query(1, "other.test", kTypeA);
  EXPECT_TRUE(allow.may_send_query(listed, Transport::Udp));
  EXPECT_FALSE(allow.may_send_query(other, Transport::Udp));
  EXPECT_FALSE(allow.may_send_query(bytes_of("ping"), Transport::Udp));
  EXPECT_FALSE(block.may_send_query(listed, Transport::Udp));
  EXPECT_TRUE(block.may_send_query(other, Transport::Udp));
  EXPECT_FALSE(block.may_send_query(bytes_of("ping"), Transport::Udp));
  EXPECT_TRUE(policy(Mode::All).may_send_query(bytes_of("ping"), Transport::Udp));
}

TEST(Policy, Over_tcp_a_question_is_one_whole_message) {
  const Policy allow = policy(Mode::Allow, {"listed.test"});
  const auto query = make_query(1, "listed.test", kTypeA);
  std::vector<std::byte> framed = {{}, static_cast<std::byte>(query.size())};
  framed.insert(framed.end(), query.begin(), query.end());
  EXPECT_TRUE(allow.may_send_query(framed, Transport::Tcp));
  EXPECT_FALSE(allow.may_send_query(query, Transport::Tcp));
  EXPECT_FALSE(allow.may_send_query(std::span(framed).first(framed.size() - 1), Transport::Tcp));
  EXPECT_FALSE(allow.may_send_query(std::span(framed).first(1), Transport::Tcp));
  framed.push_back({});
  EXPECT_FALSE(allow.may_send_query(framed, Transport::Tcp)) << "the begin of another one";
}

TEST(Policy, Answers_of_a_known_resolver_teach_addresses_of_listed_names) {
  Policy allow = policy(Mode::Allow, {"listed.test:80"});
  const std::vector<Address> addresses = {*parse_address("10.77.0.1")};
  const auto answer = answer_to(make_query(1, "listed.test", kTypeA), addresses);
  const auto other = answer_to(make_query(1, "other.test", kTypeA),
                               std::vector<Address>{*parse_address("10.77.0.2")});
  allow.learn(endpoint("192.0.2.54", 53), answer, Transport::Udp);
  allow.learn(endpoint("192.0.2.53", 54), answer, Transport::Udp);
  EXPECT_FALSE(may_connect(allow, "10.77.0.1")) << "from somebody else";
  allow.learn(endpoint("192.0.2.53", 53), other, Transport::Udp);
  EXPECT_FALSE(may_connect(allow, "10.77.0.2")) << "of another name";
  allow.learn(endpoint("192.0.2.53", 53), answer, Transport::Udp);
  EXPECT_TRUE(may_connect(allow, "10.77.0.1"));
  EXPECT_FALSE(may_connect(allow, "10.77.0.1", 81)) << "another port";
}

TEST(Policy, What_is_learned_is_never_the_loopback_or_a_links_own) {
  Policy allow = policy(Mode::Allow, {"listed.test"});
  const std::vector<Address> addresses = {*parse_address("127.0.0.1"),
                                          *parse_address("169.254.169.254")};
  allow.learn(endpoint("192.0.2.53", 53),
              answer_to(make_query(1, "listed.test", kTypeA), addresses), Transport::Udp);
  EXPECT_FALSE(may_connect(allow, "127.0.0.1"));
  EXPECT_FALSE(may_connect(allow, "169.254.169.254"));
}

TEST(Policy, Learns_a_limited_number) {
  Policy allow = policy(Mode::Allow, {"listed.test"});
  for (unsigned i = 0; i < 5000; i += 50) {
    std::vector<Address> addresses;
    for (unsigned j = i; j < i + 50; ++j) {
      addresses.push_back(
          *parse_address("10.5." + std::to_string(j / 250) + "." + std::to_string(j % 250)));
    }
    allow.learn(endpoint("192.0.2.53", 53),
                answer_to(make_query(1, "listed.test", kTypeA), addresses), Transport::Udp);
  }
  EXPECT_TRUE(may_connect(allow, "10.5.0.0"));
  EXPECT_FALSE(may_connect(allow, "10.5.19.0"));
}

}  // namespace
}  // namespace runhl::vmm::net
