// SPDX-License-Identifier: Apache-2.0
#include "cell/vdso.h"

#include <gtest/gtest.h>

namespace runhl::vmm::cell {
namespace {

TEST(Vdso, Finds_code_and_both_kinds_of_data) {
  const VdsoMappings found = parse_vdso_mappings(
      "00400000-00401000 r-xp 00000000 08:01 5    /bin/a\n"
      "7fac23450000-7fac23454000 r--p 00000000 00:00 0                          [vvar]\n"
      "7fac23454000-7fac23456000 r--p 00000000 00:00 0                          [vvar_vclock]\n"
      "7fac23456000-7fac23458000 r-xp 00000000 00:00 0                          [vdso]\n"
      "7ffe00000000-7ffe00001000 rw-p 00000000 00:00 0                          [stack]\n");
  ASSERT_EQ(found.count, 3U);
  EXPECT_EQ(found.start(), 0x7fac23450000U);
  EXPECT_EQ(found.size(), 0x8000U);
  EXPECT_EQ(found.vdso.start, 0x7fac23456000U);
  EXPECT_EQ(found.vdso.size, 0x2000U);
}

TEST(Vdso, Absent_or_unusable_is_none) {
  EXPECT_EQ(parse_vdso_mappings("").count, 0U);
  EXPECT_EQ(parse_vdso_mappings("1000-2000 r--p 0 00:00 0 [vvar]\n").count, 0U);
  EXPECT_EQ(parse_vdso_mappings("nonsense [vdso]\n").count, 0U);
  EXPECT_EQ(parse_vdso_mappings("2000-1000 r-xp 0 00:00 0 [vdso]\n").count, 0U);
  // Too far apart for the place in the window.
  EXPECT_EQ(parse_vdso_mappings("1000-2000 r--p 0 00:00 0 [vvar]\n"
                                "100000000-100001000 r-xp 0 00:00 0 [vdso]\n")
                .count,
            0U);
}

}  // namespace
}  // namespace runhl::vmm::cell
