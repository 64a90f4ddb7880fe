// SPDX-License-Identifier: Apache-2.0
// What is refused before anything runs. With kernels: test/upstream/library.sh.
#include "runhl/vmm/embed/machine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace runhl::vmm::embed {
namespace {

using ::testing::HasSubstr;

class MachineTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_NE(::mkdtemp(top_.data()), nullptr); }
  void TearDown() override { std::filesystem::remove_all(top_); }
  [[nodiscard]] std::string file(const std::string& name, const std::string& contents) const {
    std::ofstream(top_ + "/" + name, std::ios::binary) << contents;
    return top_ + "/" + name;
  }
  static std::string refusal(const Options& options, ErrorCode code) {
    const Result<Machine> machine = Machine::create(options);
    if (machine) {
      return "made";
    }
    EXPECT_EQ(machine.error().code, code) << machine.error().message;
    return machine.error().message;
  }

  std::string top_ = "/tmp/runhl-embed-XXXXXX";
};

TEST_F(MachineTest, Kernel_that_is_missing_or_none_is_named) {
  Options options;
  EXPECT_EQ(refusal(options, ErrorCode::InvalidArgument), "no kernel is named");
  options.kernel = top_ + "/nosuch";
  EXPECT_EQ(refusal(options, ErrorCode::NotFound), options.kernel + ": No such file or directory");
  options.kernel = top_;
  EXPECT_EQ(refusal(options, ErrorCode::InvalidArgument), top_ + ": no file");
  options.kernel = file("text", "no kernel at all");
  EXPECT_THAT(refusal(options, ErrorCode::InvalidArgument), HasSubstr(options.kernel + ": "));
}

TEST_F(MachineTest, Fifo_does_not_make_it_wait) {
  Options options;
  options.kernel = top_ + "/fifo";
  ASSERT_EQ(::mkfifo(options.kernel.c_str(), 0600), 0);
  EXPECT_EQ(refusal(options, ErrorCode::InvalidArgument), options.kernel + ": no file");
}

}  // namespace
}  // namespace runhl::vmm::embed
