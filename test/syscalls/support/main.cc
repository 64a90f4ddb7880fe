// SPDX-License-Identifier: Apache-2.0
#include <ftw.h>
#include <sys/stat.h>

#include <cstdlib>

#include "syscall_test.h"

namespace syscall_test {
namespace {

int remove_entry(const char* path, const struct stat*, int, struct FTW*) {
  return ::remove(path);
}

}  // namespace

std::string scratch_of(const std::string& filesystem) {
  // run.sh mounts a tmpfs at /tmp and leaves /scratch on the root file system.
  return filesystem == "tmpfs" ? "/tmp" : "/scratch";
}

void FileTest::SetUp() {
  directory_ = scratch_of(GetParam()) + "/test-XXXXXX";
  ASSERT_NE(::mkdtemp(directory_.data()), nullptr) << directory_ << ": " << std::strerror(errno);
}

void FileTest::TearDown() {
  constexpr int kDescriptors = 16;
  ::nftw(directory_.c_str(), remove_entry, kDescriptors, FTW_DEPTH | FTW_PHYS);
}

Fd FileTest::make_file(const std::string& name, const std::string& content, int flags) {
  Fd file{::open(path(name).c_str(), flags | O_CREAT, 0644)};
  EXPECT_THAT(file.get(), Succeeds());
  EXPECT_EQ(::write(file.get(), content.data(), content.size()),
            static_cast<ssize_t>(content.size()));
  EXPECT_THAT(::lseek(file.get(), 0, SEEK_SET), SucceedsWith(0));
  return file;
}

std::string FileTest::content_of(const std::string& path) {
  const Fd file{::open(path.c_str(), O_RDONLY)};
  if (file.get() < 0) {
    return "<" + error_name(errno) + ">";
  }
  std::string content;
  char buffer[4096];
  ssize_t n = 0;
  while ((n = ::read(file.get(), buffer, sizeof buffer)) > 0) {
    content.append(buffer, static_cast<std::size_t>(n));
  }
  return n < 0 ? "<" + error_name(errno) + ">" : content;
}

}  // namespace syscall_test

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
