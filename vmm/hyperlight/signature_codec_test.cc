// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "runhl/vmm/hyperlight/signatures.h"

namespace runhl::vmm::hyperlight {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// As upstream's host wrote it: HostPrint(string) -> int, __dispatch(bytes) -> bytes.
constexpr std::string_view kUpstreams(
    "|\0\0\0\14\0\0\0\0\0\6\0\10\0\4\0"
    "\6\0\0\0\4\0\0\0\2\0\0\0<\0\0\0"
    "\14\0\0\0\10\0\14\0\4\0\10\0\10\0\0\0"
    "\20\0\0\0\4\0\0\0\1\0\0\0\6\0\0\0"
    "\11\0\0\0HostPrint\0\12\0"
    "\20\0\10\0\14\0\7\0\12\0\0\0\0\0\0\11"
    "\20\0\0\0\4\0\0\0\1\0\0\0\10\0\0\0"
    "\12\0\0\0__dispatch\0\0",
    128);

TEST(Signatures, Are_what_upstreams_host_wrote) {
  const Signature print{"HostPrint", "s", 'i'}, dispatch{"__dispatch", "v", 'v'};
  const auto read = decode_signatures(kUpstreams);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_THAT(*read, ElementsAre(dispatch, print));
  EXPECT_THAT(host_function_signatures(Generation::G1, {}), ElementsAre(print, dispatch));
}

TEST(Signatures, Are_read_as_they_were_written) {
  const std::vector<Signature> all = {
      {"none", "", '-'}, {"all", "iulUfdsbv", 'v'}, {"b", "b", 'b'}};
  const std::string bytes = encode_signatures(all);
  EXPECT_EQ(decode_signatures(bytes).value(), all);
  EXPECT_EQ(decode_signatures(encode_signatures({})).value(), std::vector<Signature>());
}

TEST(Signatures, That_are_malformed_are_refused) {
  const std::string good(kUpstreams);
  for (std::size_t size = 0; size < good.size(); ++size) {
    EXPECT_FALSE(decode_signatures(std::string_view(good).substr(0, size))) << size;
  }
  std::string no_type = good;
  no_type[95] = 10;  // what __dispatch returns
  EXPECT_FALSE(decode_signatures(no_type));
  no_type = good;
  no_type[108] = 9;  // what it takes
  EXPECT_FALSE(decode_signatures(no_type));
  const std::vector<Signature> many = {{"f", std::string(65, 'i'), 'i'}};
  EXPECT_THAT(decode_signatures(encode_signatures(many)).error().message, HasSubstr("malformed"));
}

}  // namespace
}  // namespace runhl::vmm::hyperlight
