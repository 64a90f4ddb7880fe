// SPDX-License-Identifier: Apache-2.0
#include "boot/child.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdint>
#include <functional>
#include <initializer_list>

namespace runhl::boot {
namespace {

using ::testing::HasSubstr;

/// Of a child that has done its work and is then taken over.
Result<ChildReport> report_of(const std::function<void(ChildReport*)>& takeover) {
  Child child = TRY(Child::create("test"));
  return child.run([&](ChildReport* report) -> Result<void> {
    takeover(report);
    return {};
  });
}

TEST(Child, Report_comes_back) {
  const Result<ChildReport> report = report_of([](ChildReport* its) {
    its->exit_code = 7;
    its->on_hardware = 1;
    its->snapshot.entry = 0x4000;
  });
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->done, 1);
  EXPECT_EQ(report->exit_code, 7);
  EXPECT_EQ(report->on_hardware, 1);
  EXPECT_EQ(report->snapshot.entry, 0x4000U);
}

TEST(Child, Failed_work_is_not_done) {
  Result<Child> child = Child::create("test");
  ASSERT_TRUE(child);
  const Result<ChildReport> report = child->run(
      [](ChildReport*) -> Result<void> { return fail(ErrorCode::Unsupported, "as it should"); });
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->done, 0);
}

TEST(Child, Next_run_begins_with_an_empty_report) {
  Result<Child> child = Child::create("test");
  ASSERT_TRUE(child);
  ASSERT_TRUE(child->run([](ChildReport* report) -> Result<void> {
    report->exit_code = 7;
    return {};
  }));
  const Result<ChildReport> second =
      child->run([](ChildReport*) -> Result<void> { return Result<void>(); });
  ASSERT_TRUE(second);
  EXPECT_EQ(second->exit_code, 0);
}

TEST(Child, Death_by_a_signal_is_told) {
  const Result<ChildReport> report = report_of([](ChildReport*) { (void)std::raise(SIGKILL); });
  ASSERT_FALSE(report);
  EXPECT_THAT(report.error().message, HasSubstr("died by signal 9"));
}

TEST(Child, Flags_that_are_neither_0_nor_1_are_refused) {
  for (const std::uint8_t byte : std::array<std::uint8_t, 3>{2, 0x80, 0xff}) {
    for (const auto& takeover : std::initializer_list<std::function<void(ChildReport*)>>{
             [byte](ChildReport* its) { its->on_hardware = byte; },
             [byte](ChildReport* its) { its->snapshot.has_queues = byte; }}) {
      const Result<ChildReport> report = report_of(takeover);
      ASSERT_FALSE(report);
      EXPECT_THAT(report.error().message, HasSubstr("a report that is none"));
    }
  }
}

TEST(Child, Done_that_is_neither_0_nor_1_is_refused) {
  const Result<ChildReport> report = report_of([](ChildReport* its) {
    its->done = 2;
    ::_exit(0);  // before anybody corrects it
  });
  ASSERT_FALSE(report);
  EXPECT_THAT(report.error().message, HasSubstr("a report that is none"));
}

}  // namespace
}  // namespace runhl::boot
