// SPDX-License-Identifier: Apache-2.0
#include "monitor/stats_text.h"

#include <asm/unistd_64.h>
#include <gtest/gtest.h>

#include "runhl/vmm/syscall_names.h"

namespace runhl::shim {
namespace {

TEST(StatsText, Arrives_as_it_was_sent) {
  vmm::Stats stats;
  stats.counters = {{"fast_syscalls", 12}, {"trapped_syscalls", ~0ULL}};
  stats.unimplemented_syscalls = {{__NR_userfaultfd, 2}, {511, 1}};
  const auto read = parse_stats_text(stats_text(stats, {.file_mapping = true}));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->counters, stats.counters);
  const std::map<std::string, std::uint64_t> expected{{"userfaultfd", 2}, {"511", 1}};
  EXPECT_EQ(read->unimplemented_syscalls, expected);
  EXPECT_TRUE(read->maps_files);
  EXPECT_FALSE(parse_stats_text(stats_text(stats, {.file_mapping = false}))->maps_files);
}

TEST(StatsText, Nonsense_is_refused) {
  for (const char* const text : {"name", "name x", "name 1 2", " 1", "unimplemented 3"}) {
    EXPECT_FALSE(parse_stats_text(text)) << text;
  }
}

TEST(StatsText, A_crash_report_names_what_was_missing) {
  vmm::Stats stats;
  EXPECT_EQ(unimplemented_lines(stats), "");
  stats.unimplemented_syscalls = {{__NR_userfaultfd, 2}};
  EXPECT_EQ(unimplemented_lines(stats), "\nunimplemented call userfaultfd: 2 times");
}

}  // namespace
}  // namespace runhl::shim
