// SPDX-License-Identifier: Apache-2.0
#include "net/dns.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/dns_test_messages.h"

namespace runhl::vmm::net {
namespace {

using ::testing::ElementsAre;
using ::testing::Optional;

TEST(Dns, Names_are_compared_in_lower_case_without_the_last_dot) {
  EXPECT_EQ(canonical_name("Example.COM."), "example.com");
  EXPECT_EQ(canonical_name("_dmarc.a-b.test"), "_dmarc.a-b.test");
  for (const char* bad : {"", ".", "a..", "a..b", ".a", "a b", "a/b", "ex\xc3\xa4mple", "a:b"}) {
    EXPECT_FALSE(canonical_name(bad)) << bad;
  }
  EXPECT_TRUE(canonical_name(std::string(63, 'a')));
  EXPECT_FALSE(canonical_name(std::string(64, 'a')));
  std::string longest;
  for (int i = 0; i < 127; ++i) {
    longest += "a.";
  }
  EXPECT_FALSE(canonical_name(longest + "a"));
}

TEST(Dns, A_query_tells_its_names) {
  const auto query = make_query(7, "www.example.com", kTypeA);
  EXPECT_THAT(names_in_query(query), Optional(ElementsAre("www.example.com")));
}

TEST(Dns, What_is_no_well_formed_query_has_none) {
  const auto query = make_query(7, "a.test", kTypeA);
  auto changed = query;
  changed[2] = std::byte{0x80};
  EXPECT_FALSE(names_in_query(changed)) << "an answer";
  changed = query;
  changed[2] = std::byte{0x28};
  EXPECT_FALSE(names_in_query(changed)) << "an update";
  changed = query;
  changed[5] = {};
  EXPECT_FALSE(names_in_query(changed)) << "no question";
  changed = query;
  changed[5] = std::byte{2};
  changed.resize(changed.size() - 11);
  EXPECT_FALSE(names_in_query(changed)) << "a question that is not there";
  changed = query;
  changed[12] = std::byte{0x41};
  EXPECT_FALSE(names_in_query(changed)) << "a label of another kind";
  changed = query;
  changed[13] = std::byte{'.'};
  EXPECT_FALSE(names_in_query(changed)) << "a dot in a label";
  changed[13] = {};
  EXPECT_FALSE(names_in_query(changed)) << "a NUL in a label";
  for (std::size_t size = 0; size < query.size() - 11; ++size) {
    EXPECT_FALSE(names_in_query(std::span(query).first(size))) << size;
  }
  EXPECT_FALSE(names_in_query(bytes_of("ping")));
}

TEST(Dns, Pointers_are_followed_but_not_for_ever) {
  auto query = make_query(7, "a.test", kTypeA);
  query.resize(12);
  for (const int byte : {0xc0, 12, 0, 1, 0, 1}) {
    query.push_back(static_cast<std::byte>(byte));
  }
  EXPECT_FALSE(names_in_query(query)) << "to itself";
  query.resize(12);
  for (const int byte : {0xc0, 18, 0, 1, 0, 1, 1, int{'b'}, 0}) {
    query.push_back(static_cast<std::byte>(byte));
  }
  EXPECT_THAT(names_in_query(query), Optional(ElementsAre("b")));
}

TEST(Dns, An_answer_gives_addresses_of_both_families) {
  const std::vector<Address> addresses = {*parse_address("10.0.0.1"), *parse_address("fd00::1"),
                                          *parse_address("10.0.0.2")};
  const auto answer = parse_answer(answer_to(make_query(0x1234, "Host.Test", kTypeA), addresses));
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->id, 0x1234);
  EXPECT_EQ(answer->name, "host.test");
  EXPECT_EQ(answer->type, kTypeA);
  EXPECT_EQ(answer->addresses, addresses);
  EXPECT_EQ(answer->code, 0U);
}

TEST(Dns, An_answer_that_ends_too_early_is_none) {
  const std::vector<Address> addresses = {*parse_address("10.0.0.1")};
  const auto answer = answer_to(make_query(1, "host.test", kTypeA), addresses);
  for (std::size_t size = 0; size < answer.size(); ++size) {
    EXPECT_FALSE(parse_answer(std::span(answer).first(size))) << size;
  }
  EXPECT_FALSE(parse_answer(make_query(1, "host.test", kTypeA))) << "a query";
}

}  // namespace
}  // namespace runhl::vmm::net
