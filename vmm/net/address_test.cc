// SPDX-License-Identifier: Apache-2.0
#include "runhl/vmm/net/address.h"

#include <gtest/gtest.h>

namespace runhl::vmm::net {
namespace {

Address address(std::string_view text) {
  const auto parsed = parse_address(text);
  EXPECT_TRUE(parsed) << text;
  return parsed.value_or(Address{});
}

TEST(Address, An_IPv4_address_is_one_however_it_is_written) {
  EXPECT_EQ(address("::ffff:10.1.2.3"), address("10.1.2.3"));
  EXPECT_EQ(address("::ffff:a01:203"), address("10.1.2.3"));
  EXPECT_NE(address("::a01:203"), address("10.1.2.3"));
  EXPECT_EQ(to_string(address("::ffff:10.1.2.3")), "10.1.2.3");
  EXPECT_EQ(to_string(address("FE80::1")), "fe80::1");
}

TEST(Address, Other_texts_are_none) {
  for (const char* bad : {"", "1.2.3", "01.2.3.4", "0x7f.1", "2130706433", "1.2.3.4 ", "::1%lo",
                          "[::1]", "1.2.3.256", "localhost"}) {
    EXPECT_FALSE(parse_address(bad)) << bad;
  }
}

TEST(Address, Is_within_a_network_by_its_first_bits) {
  EXPECT_TRUE(is_within(address("10.200.0.1"), address("10.0.0.0"), 8));
  EXPECT_FALSE(is_within(address("11.0.0.1"), address("10.0.0.0"), 8));
  EXPECT_TRUE(is_within(address("172.31.0.1"), address("172.16.0.0"), 12));
  EXPECT_FALSE(is_within(address("172.32.0.1"), address("172.16.0.0"), 12));
  EXPECT_TRUE(is_within(address("1.2.3.4"), address("0.0.0.0"), 0));
  EXPECT_TRUE(is_within(address("febf::1"), address("fe80::"), 10));
  EXPECT_FALSE(is_within(address("fec0::1"), address("fe80::"), 10));
  EXPECT_FALSE(is_within(address("::1"), address("0.0.0.0"), 0)) << "another family";
  EXPECT_TRUE(is_within(address("::ffff:10.0.0.1"), address("10.0.0.0"), 8));
}

TEST(Address, For_a_call_is_a_literal_of_its_family_and_a_port) {
  const auto v4 = socket_address(AF_INET, "10.0.0.1", 80);
  ASSERT_TRUE(v4);
  EXPECT_EQ(endpoint_of(*v4), (Endpoint{address("10.0.0.1"), 80}));
  const auto mapped = socket_address(AF_INET6, "::ffff:10.0.0.1", 65535);
  ASSERT_TRUE(mapped);
  EXPECT_EQ(mapped->storage.ss_family, AF_INET6);
  EXPECT_EQ(endpoint_of(*mapped), (Endpoint{address("10.0.0.1"), 65535}));
  EXPECT_FALSE(socket_address(AF_INET, "::1", 80));
  EXPECT_FALSE(socket_address(AF_INET6, "10.0.0.1", 80));
  EXPECT_FALSE(socket_address(AF_UNIX, "10.0.0.1", 80));
  EXPECT_FALSE(socket_address(AF_INET, "10.0.0.1", 65536));
  EXPECT_FALSE(socket_address(AF_INET, "10.0.0.1", -1));
  EXPECT_FALSE(socket_address(AF_INET, std::string("10.0.0.1\0x", 10), 80));
}

}  // namespace
}  // namespace runhl::vmm::net
