// SPDX-License-Identifier: Apache-2.0
#include "arch/x86_64/rewrite_site.h"

#include <gtest/gtest.h>

#include <cstring>

namespace runhl::kernel {
namespace {

constexpr SiteBytes kGetppid{0xb8, 110, 0, 0, 0, 0x0f, 0x05};

std::int32_t displacement_at(const std::uint8_t* bytes) {
  std::int32_t value = 0;
  std::memcpy(&value, bytes, sizeof(value));
  return value;
}

TEST(RewriteSite, Form_a_is_a_mov_of_this_number_right_before_the_syscall) {
  EXPECT_TRUE(is_form_a(kGetppid, 110));
  EXPECT_FALSE(is_form_a(kGetppid, 39));
  for (std::size_t i : {std::size_t{0}, std::size_t{5}, std::size_t{6}}) {
    SiteBytes other = kGetppid;
    other[i] ^= 1;
    EXPECT_FALSE(is_form_a(other, 110)) << i;
  }
}

TEST(RewriteSite, Jump_leads_from_the_site_to_its_trampoline) {
  constexpr std::uint64_t kSite = 0x40'1000;
  constexpr std::uint64_t kTarget = 0x1000'0020;
  const auto jump = encode_jump(kSite, kTarget);
  ASSERT_TRUE(jump);
  EXPECT_EQ((*jump)[0], 0xe9);
  EXPECT_EQ(kSite + 5 + static_cast<std::uint64_t>(displacement_at(jump->data() + 1)), kTarget);
}

TEST(RewriteSite, What_rel32_cannot_reach_is_refused) {
  EXPECT_FALSE(encode_jump(0x1000, 0x1'0000'0000));
  EXPECT_TRUE(encode_jump(0x1'0000'0000, 0x9000'0000));
  EXPECT_FALSE(encode_trampoline(0x2'0000'0000, 1, 0x1000, 0x2'0000'0000));
}

TEST(RewriteSite, Trampoline_returns_behind_the_syscall_and_jumps_through_the_entry_slot) {
  constexpr std::uint64_t kAt = 0x1000'0020;
  constexpr std::uint64_t kSite = 0x40'1000;
  constexpr std::uint64_t kEntrySlot = 0x1000'0000;
  const auto code = encode_trampoline(kAt, 110, kSite, kEntrySlot);
  ASSERT_TRUE(code);
  const std::uint8_t* const bytes = code->data();
  EXPECT_EQ(bytes[0], 0xb8);  // mov $110, %eax
  EXPECT_EQ(displacement_at(bytes + 1), 110);
  EXPECT_EQ(std::memcmp(bytes + 5, "\x48\x8d\x0d", 3), 0);  // lea return(%rip), %rcx
  EXPECT_EQ(kAt + 12 + static_cast<std::uint64_t>(std::int64_t{displacement_at(bytes + 8)}),
            kSite + kSiteSize);
  EXPECT_EQ(std::memcmp(bytes + 12, "\xff\x25", 2), 0);  // jmp *slot(%rip)
  EXPECT_EQ(kAt + 18 + static_cast<std::uint64_t>(std::int64_t{displacement_at(bytes + 14)}),
            kEntrySlot);
}

}  // namespace
}  // namespace runhl::kernel
