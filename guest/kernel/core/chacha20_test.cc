// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "core/random.h"

namespace runhl::kernel {
namespace {

TEST(ChaCha20, Gives_the_block_of_rfc_8439_section_2_3_2) {
  ChaChaKey key{};
  for (std::uint32_t i = 0; i < key.size(); ++i) {
    const std::uint32_t first = 4 * i;  // bytes 00 01 02 ... 1f
    key[i] = first | (first + 1) << 8 | (first + 2) << 16 | (first + 3) << 24;
  }
  const auto block = chacha20_block(key, 1, {0x09000000, 0x4a000000, 0x00000000});
  const std::array<std::uint32_t, 16> expected{0xe4e7f110, 0x15593bd1, 0x1fdd0f50, 0xc47120a3,
                                               0xc7f4d1c7, 0x0368c033, 0x9aaa2204, 0x4e6cd4c3,
                                               0x466482d2, 0x09aa9f07, 0x05d7c214, 0xa2028bd9,
                                               0xd19c12b5, 0xb94e16de, 0xe883d0cb, 0x4e3c50a2};
  EXPECT_EQ(block, expected);
}

TEST(Random, Never_repeats_and_depends_on_the_seed) {
  std::array<std::uint8_t, 32> seed{};
  seed[0] = 1;
  random_seed(seed);
  const std::uint64_t a = random_u64();
  const std::uint64_t b = random_u64();
  EXPECT_NE(a, b);
  std::array<std::byte, 200> bytes{};
  random_bytes(bytes);
  EXPECT_NE(bytes[0], bytes[64]);  // two blocks of one request differ
  EXPECT_NE(bytes, (std::array<std::byte, 200>{}));
}

}  // namespace
}  // namespace runhl::kernel
