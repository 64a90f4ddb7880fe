// SPDX-License-Identifier: Apache-2.0
// chroot, and how paths look from inside.
#include <sys/stat.h>

#include <array>

#include "syscall_test.h"

namespace {

class Chroot : public FileTest {
 protected:
  void SetUp() override {
    if (::getuid() != 0) {
      GTEST_SKIP() << "needs CAP_SYS_CHROOT";
    }
    FileTest::SetUp();
    ASSERT_THAT(::mkdir(path("root").c_str(), 0755), Succeeds());
    ASSERT_THAT(::mkdir(path("root/inner").c_str(), 0755), Succeeds());
    make_file("root/file", "inside");
    make_file("outside", "outside");
    ASSERT_THAT(::symlink("/file", path("root/link").c_str()), Succeeds());
    ASSERT_THAT(::symlink("../../../../file", path("root/inner/up").c_str()), Succeeds());
  }
  [[nodiscard]] std::string root() const { return path("root"); }
};
INSTANTIATE_ON_FILE_SYSTEMS(Chroot);

/// What a child that has changed its root finds.
template <typename Body>
int inside(const std::string& root, Body&& body) {
  return in_child([&] {
    if (::chroot(root.c_str()) != 0) {
      return 100;
    }
    return body();
  });
}

bool exists(const char* path) {
  struct stat attributes{};
  return ::stat(path, &attributes) == 0;
}

TEST_P(Chroot, Absolute_paths_and_symlinks_begin_there) {
  EXPECT_THAT(
      inside(root(),
             [] { return exists("/file") && exists("/link") && !exists("/outside") ? 0 : 1; }),
      Exited(0));
}

TEST_P(Chroot, Parents_of_the_root_are_the_root) {
  EXPECT_THAT(inside(root(),
                     [] {
                       const bool up = exists("/../file") && exists("/inner/../../../file") &&
                                       exists("/inner/up");
                       return up && !exists("/../outside") ? 0 : 1;
                     }),
              Exited(0));
}

TEST_P(Chroot, The_working_directory_stays_outside_until_changed) {
  const std::string outside = path();
  EXPECT_THAT(in_child([&] {
                std::array<char, 256> cwd{};
                if (::chdir(outside.c_str()) != 0 || ::chroot(root().c_str()) != 0) {
                  return 1;
                }
                const bool still = exists("outside") && exists("root/file");
                ::getcwd(cwd.data(), cwd.size());
                const bool marked =
                    std::strncmp(cwd.data(), "(unreachable)", 13) == 0 || errno == ENOENT;
                return still && marked ? 0 : 2;
              }),
              Exited(0));
}

TEST_P(Chroot, The_working_directory_is_told_from_the_root) {
  EXPECT_THAT(inside(root(),
                     [] {
                       std::array<char, 256> cwd{};
                       if (::chdir("/inner") != 0 || ::getcwd(cwd.data(), cwd.size()) == nullptr) {
                         return 1;
                       }
                       if (std::strcmp(cwd.data(), "/inner") != 0) {
                         return 2;
                       }
                       ::chdir("..");
                       ::getcwd(cwd.data(), cwd.size());
                       return std::strcmp(cwd.data(), "/");
                     }),
              Exited(0));
}

TEST_P(Chroot, Children_inherit_it) {
  EXPECT_THAT(
      inside(root(), [] { return WEXITSTATUS(in_child([] { return exists("/file") ? 0 : 1; })); }),
      Exited(0));
}

TEST_P(Chroot, Twice_is_from_where_one_is) {
  EXPECT_THAT(
      inside(root(),
             [] {
               return ::chroot("/inner") == 0 && exists("/up") == false && !exists("/file") ? 0 : 1;
             }),
      Exited(0));
}

TEST_P(Chroot, Errors) {
  EXPECT_THAT(::chroot(path("nowhere").c_str()), FailsWith(ENOENT));
  EXPECT_THAT(::chroot(path("outside").c_str()), FailsWith(ENOTDIR));
  EXPECT_THAT(::chroot(static_cast<const char*>(bad_address())), FailsWith(EFAULT));
}

TEST(ChrootUnprivileged, Is_refused) {
  if (::getuid() == 0) {
    GTEST_SKIP() << "root may";
  }
  EXPECT_THAT(::chroot("/tmp"), FailsWith(EPERM));
}

}  // namespace
