// SPDX-License-Identifier: Apache-2.0
#include "runhl/base/sys.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "runhl/base/sys_recording.h"

namespace runhl {
namespace {

using ::testing::ElementsAre;

class LinuxSysTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = "/tmp/runhl_sys_test.XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    path_ = name;
    dir_ = UniqueFd(::open(name.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  }
  void TearDown() override {
    (void)linux_sys().unlink(dir_.get(), "file");
    (void)linux_sys().rmdir(AT_FDCWD, path_);
  }
  std::string path_;
  UniqueFd dir_;
};

TEST_F(LinuxSysTest, Writes_an_existing_file_and_reads_it_back) {
  Sys& sys = linux_sys();
  EXPECT_EQ(sys.write_file(dir_.get(), "file", "x").error().code, ErrorCode::NotFound);
  ASSERT_TRUE(sys.open(dir_.get(), "file", O_CREAT | O_EXCL | O_WRONLY, 0600));
  ASSERT_TRUE(sys.write_file(dir_.get(), "file", "hello"));
  EXPECT_EQ(sys.read_file(dir_.get(), "file", 5), "hello");
  EXPECT_EQ(sys.read_file(dir_.get(), "file", 4).error().code, ErrorCode::InvalidArgument);
}

TEST_F(LinuxSysTest, Errors_name_the_call_and_the_path) {
  const auto made = linux_sys().mkdir(dir_.get(), "no/such", 0700);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().message, "mkdir no/such: No such file or directory");
  EXPECT_EQ(made.error().os_errno, ENOENT);
}

TEST_F(LinuxSysTest, A_byte_locked_by_one_open_file_is_taken_for_another) {
  Sys& sys = linux_sys();
  const auto first = sys.open(dir_.get(), "file", O_CREAT | O_RDWR, 0600);
  const auto second = sys.open(dir_.get(), "file", O_RDWR);
  ASSERT_TRUE(first && second);
  EXPECT_EQ(sys.try_lock_byte(first->get(), 7), true);
  EXPECT_EQ(sys.try_lock_byte(second->get(), 7), false);
  EXPECT_EQ(sys.try_lock_byte(second->get(), 8), true);
}

TEST(RecordingSysTest, Calls_read_as_sentences_and_fail_as_told) {
  RecordingSys sys;
  sys.fail("mkdir /a/b", EACCES);
  const auto dir = sys.open(AT_FDCWD, "/a", O_PATH, 0);
  ASSERT_TRUE(dir);
  EXPECT_TRUE(sys.mkdir(dir->get(), "c", 0755));
  EXPECT_EQ(sys.mkdir(dir->get(), "b", 0755).error().code, ErrorCode::Permission);
  sys.fail_nth(0, EIO);
  EXPECT_FALSE(sys.rmdir(dir->get(), "c"));
  EXPECT_TRUE(sys.rmdir(dir->get(), "c"));
  EXPECT_THAT(sys.calls, ElementsAre("open /a", "mkdir /a/c 0755", "mkdir /a/b 0755", "rmdir /a/c",
                                     "rmdir /a/c"));
}

TEST(RecordingSysTest, Reads_what_the_test_put_there) {
  RecordingSys sys;
  sys.files["/x"] = "1\n";
  EXPECT_EQ(sys.read_file(AT_FDCWD, "/x", 10), "1\n");
  EXPECT_EQ(sys.read_file(AT_FDCWD, "/y", 10).error().code, ErrorCode::NotFound);
}

}  // namespace
}  // namespace runhl
