// SPDX-License-Identifier: Apache-2.0
#include "crash_report.h"

#include <gtest/gtest.h>

namespace runhl::vmm {
namespace {

constexpr std::string_view kSymbols =
    "700000001000 boot\n700000002000 runhl::kernel::panic(std::string_view)\n";

TEST(CrashReportTest, Symbolises_by_the_last_symbol_below) {
  EXPECT_EQ(symbolise(0x700000001010, kSymbols), "boot+0x10");
  EXPECT_EQ(symbolise(0x700000002000, kSymbols), "runhl::kernel::panic(std::string_view)+0x0");
  EXPECT_EQ(symbolise(0x6ff, kSymbols), "");
  EXPECT_EQ(symbolise(0x6ff, "no symbols\n\nzz\n"), "");
}

TEST(CrashReportTest, Bounds_and_cleans_what_the_guest_wrote) {
  abi::PanicReport report{};
  report.message.fill('A');
  report.message[1] = '\x1b';
  report.task_name.fill('t');
  report.backtrace_length = ~0U;
  report.backtrace.fill(0x700000001010);
  const std::string text = describe_panic(report, kSymbols);
  EXPECT_NE(text.find("panic: A?A"), std::string::npos);
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  EXPECT_NE(text.find("#31 "), std::string::npos);
  EXPECT_EQ(text.find("#32 "), std::string::npos);
}

}  // namespace
}  // namespace runhl::vmm
