// SPDX-License-Identifier: Apache-2.0
#include "size_text.h"

#include <gtest/gtest.h>

namespace runhl {
namespace {

TEST(ParseSize, Takes_numbers_with_a_unit) {
  EXPECT_EQ(parse_size("0").value(), 0U);
  EXPECT_EQ(parse_size("65536").value(), 65536U);
  EXPECT_EQ(parse_size("64k").value(), 65536U);
  EXPECT_EQ(parse_size("10MB").value(), 10U << 20U);
  EXPECT_EQ(parse_size("2g").value(), 2ULL << 30U);
  EXPECT_EQ(parse_size("1T").value(), 1ULL << 40U);
}

TEST(ParseSize, Refuses_all_else) {
  for (const char* text :
       {"", "k", "-1", "1.5G", "1kk", "1x", "99999999999999999999", "16777216T"}) {
    EXPECT_FALSE(parse_size(text)) << text;
  }
}

}  // namespace
}  // namespace runhl
