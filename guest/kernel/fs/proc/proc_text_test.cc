// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>

#include "core/settings.h"
#include "fs/proc/cpu_info.h"
#include "fs/proc/proc_fs.h"
#include "fs/pseudo/text_writer.h"

namespace runhl::kernel {
namespace {

using ::testing::Contains;
using ::testing::Key;

std::string text(const TextWriter& out) {
  return std::string(out.view());
}

TEST(TextWriter, Writes_numbers_as_proc_files_have_them) {
  TextWriter out;
  out.add("a ", -5, ' ', std::uint64_t{18'446'744'073'709'551'615U}, ' ',
          Hex{.value = 0x1f, .width = 8}, ' ', Octal{.value = 0755}, ' ',
          Decimal{.value = 42, .width = 5}, ' ', Hundredths{.value = 1205}, ' ',
          Padded{.text = "x", .width = 3}, '|');
  EXPECT_EQ(text(out), "a -5 18446744073709551615 0000001f 755    42 12.05 x  |");
}

TEST(TextWriter, Escapes_what_would_break_a_line) {
  TextWriter out;
  out.add_escaped("a b\tc\\d", " \t\n\\");
  EXPECT_EQ(text(out), "a\\040b\\011c\\134d");
}

TEST(TextWriter, Grows) {
  TextWriter out;
  std::string expected;
  for (int i = 0; i < 5000; ++i) {
    out.add(i, '\n');
    expected += std::to_string(i) + '\n';
  }
  EXPECT_EQ(text(out), expected);
}

TEST(TakeNumber, Reads_what_programs_write_into_kernel_files) {
  const auto read = [](std::string_view from) -> long {
    const Result<std::int64_t> value = take_number(from);
    return value ? *value : -9999;
  };
  EXPECT_EQ(read("7\n"), 7);
  EXPECT_EQ(read("  -12 "), -12);
  EXPECT_EQ(read("0x1F\n"), 31);
  EXPECT_EQ(read("017"), 15);
  for (const char* bad : {"", "x", "1x", "-", "99999999999999999999"}) {
    EXPECT_EQ(read(bad), -9999) << bad;
  }
}

TEST(ParseIndex, Takes_only_plain_numbers) {
  EXPECT_EQ(*parse_index("0"), 0U);
  EXPECT_EQ(*parse_index("123"), 123U);
  for (const char* bad : {"", "01", "-1", "1a", "1234567890", "self"}) {
    EXPECT_FALSE(parse_index(bad)) << bad;
  }
}

/// The first entry of a cpuinfo text.
std::map<std::string, std::string> first_cpu(std::istream& in) {
  std::map<std::string, std::string> fields;
  for (std::string line; std::getline(in, line) && !line.empty();) {
    const std::size_t colon = line.find(':');
    std::string name = line.substr(0, colon);
    name.erase(name.find_last_not_of('\t') + 1);
    fields[name] = colon + 2 <= line.size() ? line.substr(colon + 2) : "";
  }
  return fields;
}

TEST(CpuInfo, Says_what_the_hosts_own_file_says) {
  std::ifstream native_file("/proc/cpuinfo");
  const auto native = first_cpu(native_file);
  TextWriter out;
  write_cpu_info(out, 2, 2'000'000);
  std::istringstream own_text(text(out));
  const auto own = first_cpu(own_text);
  for (const auto& [name, value] : native) {
    if (name != "TLB size" && name != "vmx flags") {
      EXPECT_THAT(own, Contains(Key(name)));
    }
  }
  for (const char* same : {"vendor_id", "cpu family", "model", "model name", "stepping",
                           "cpuid level", "clflush size", "address sizes"}) {
    EXPECT_EQ(own.at(same), native.at(same)) << same;
  }
  std::istringstream native_flags(native.at("flags"));
  const std::set<std::string> known{std::istream_iterator<std::string>(native_flags), {}};
  std::istringstream own_flags(own.at("flags"));
  std::size_t shared = 0;
  for (std::string flag; own_flags >> flag;) {
    shared += known.count(flag);
  }
  EXPECT_GT(shared, known.size() / 2);
  EXPECT_TRUE(known.count("sse2") == 0 || own.at("flags").find(" sse2") != std::string::npos);
}

TEST(Sysctl, Sets_by_either_separator_within_bounds) {
  ASSERT_TRUE(set_sysctl("kernel.shmmni", "77"));
  EXPECT_EQ(settings().shmmni.load(), 77);
  ASSERT_TRUE(set_sysctl("kernel/shmmni", "78\n"));
  EXPECT_EQ(settings().shmmni.load(), 78);
  ASSERT_TRUE(set_sysctl("kernel.sem", "1 2 3"));
  EXPECT_EQ(settings().sem_opm.load(), 3);
  ASSERT_TRUE(set_sysctl("kernel.shmmax", "18446744073692774399"));
  const auto error = [](std::string_view name, std::string_view value) {
    const Result<void> set = set_sysctl(name, value);
    return set ? 0 : to_int(set.error());
  };
  EXPECT_EQ(error("kernel.shmmni", "-1"), EINVAL);
  EXPECT_EQ(error("kernel.shmmni", "many"), EINVAL);
  EXPECT_EQ(error("kernel.sem", "1 2 3 4 5 x"), 0);
  EXPECT_EQ(error("kernel.shmmax", "18446744073709551616"), EINVAL);
  EXPECT_EQ(error("kernel.ostype", "x"), EACCES);
  EXPECT_EQ(error("kernel.none", "1"), ENOENT);
}

TEST(Sysctl, Its_rows_are_in_order) {
  std::string_view previous;
  for (const TableRow& row : proc_sys_table().rows) {
    EXPECT_LT(previous, row.path);
    previous = row.path;
  }
}

}  // namespace
}  // namespace runhl::kernel
