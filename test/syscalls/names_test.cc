// SPDX-License-Identifier: Apache-2.0
// Names with a slash or a dot behind them, names that are too long, and which of two names of a
// call is found wanting first.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/time.h>
#include <sys/xattr.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <string>

#include "syscall_test.h"

namespace {

class Names : public FileTest {
 protected:
  const std::string too_long_ = std::string(256, 'n');
};
INSTANTIATE_ON_FILE_SYSTEMS(Names);

TEST_P(Names, What_ends_in_a_slash_or_a_dot_is_a_directory_before_all_else) {
  make_file("a");
  for (const char* const name : {"a/", "a/.", "a/./", "a//"}) {
    SCOPED_TRACE(name);
    const std::string at = path(name);
    const std::array<timespec, 2> wrong{{{0, 1'073'741'822}, {0, 0}}};
    struct statfs place{};
    std::array<char, 8> bytes{};
    EXPECT_THAT(::fchownat(AT_FDCWD, at.c_str(), 0, -1, AT_SYMLINK_NOFOLLOW), FailsWith(ENOTDIR));
    EXPECT_THAT(::chown(at.c_str(), 1234, 1234), FailsWith(ENOTDIR));
    EXPECT_THAT(::chmod(at.c_str(), 0600), FailsWith(ENOTDIR));
    EXPECT_THAT(::utimensat(AT_FDCWD, at.c_str(), wrong.data(), 0), FailsWith(ENOTDIR));
    EXPECT_THAT(::setxattr(at.c_str(), "user.a", "b", 1, XATTR_REPLACE), FailsWith(ENOTDIR));
    EXPECT_THAT(::getxattr(at.c_str(), "user.a", bytes.data(), 8), FailsWith(ENOTDIR));
    EXPECT_THAT(::listxattr(at.c_str(), bytes.data(), 8), FailsWith(ENOTDIR));
    EXPECT_THAT(::removexattr(at.c_str(), "user."), FailsWith(ENOTDIR));
    EXPECT_THAT(::readlink(at.c_str(), bytes.data(), 8), FailsWith(ENOTDIR));
    EXPECT_THAT(::statfs(at.c_str(), &place), FailsWith(ENOTDIR));
    EXPECT_THAT(::link(at.c_str(), path("b").c_str()), FailsWith(ENOTDIR));
    EXPECT_THAT(::truncate(at.c_str(), 0), FailsWith(ENOTDIR));
  }
}

TEST_P(Names, A_slash_behind_a_link_leads_through_it) {
  ASSERT_THAT(::mkdir(path("d").c_str(), 0700), Succeeds());
  ASSERT_THAT(::symlink("d", path("link").c_str()), Succeeds());
  EXPECT_THAT(::fchownat(AT_FDCWD, path("link/").c_str(), -1, -1, AT_SYMLINK_NOFOLLOW), Succeeds());
  EXPECT_THAT(::chmod(path("link/.").c_str(), 0711), Succeeds());
  struct stat stat{};
  ASSERT_THAT(::lstat(path("d").c_str(), &stat), Succeeds());
  EXPECT_EQ(stat.st_mode, S_IFDIR | 0711U);
}

TEST_P(Names, No_new_file_is_called_so) {
  make_file("a");
  ASSERT_THAT(::mkdir(path("d").c_str(), 0700), Succeeds());
  const auto create = [this](const char* name, int more) {
    return ::open(path(name).c_str(), O_RDWR | O_CREAT | more, 0600);
  };
  EXPECT_THAT(create("new/", 0), FailsWith(EISDIR));
  EXPECT_THAT(create("d/", O_EXCL), FailsWith(EISDIR));
  EXPECT_THAT(create("d/.", 0), FailsWith(EISDIR));
  EXPECT_THAT(create("d/.", O_EXCL), FailsWith(EEXIST));
  EXPECT_THAT(create("d/..", 0), FailsWith(EISDIR));
  EXPECT_THAT(create("new/.", O_EXCL), FailsWith(ENOENT));
  EXPECT_THAT(create("a/.", 0), FailsWith(ENOTDIR));
  EXPECT_THAT(create("a/b/", 0), FailsWith(ENOTDIR));
  EXPECT_THAT(create("new/b/", 0), FailsWith(ENOENT));
  EXPECT_THAT(::open("/", O_RDONLY | O_CREAT, 0600), FailsWith(EISDIR));
}

TEST_P(Names, What_is_to_be_made_may_be_there_already) {
  make_file("a");
  EXPECT_THAT(::mknod(path("a/").c_str(), S_IFREG | 0600, 0), FailsWith(EEXIST));
  EXPECT_THAT(::symlink("x", path("a/").c_str()), FailsWith(EEXIST));
  EXPECT_THAT(::link(path("a").c_str(), path("a/").c_str()), FailsWith(EEXIST));
  EXPECT_THAT(::mknod(path("new/").c_str(), S_IFREG | 0600, 0), FailsWith(ENOENT));
  EXPECT_THAT(::mknod(path("a/.").c_str(), S_IFREG | 0600, 0), FailsWith(ENOTDIR));
  EXPECT_THAT(::mkdir(path("a/.").c_str(), 0700), FailsWith(ENOTDIR));
}

TEST_P(Names, The_old_name_is_looked_at_before_the_new_one) {
  make_file("a");
  EXPECT_THAT(::link(path("missing").c_str(), path("a/b").c_str()), FailsWith(ENOENT));
  EXPECT_THAT(::link(path("missing").c_str(), path("a").c_str()), FailsWith(ENOENT));
  EXPECT_THAT(::linkat(AT_FDCWD, path("missing").c_str(), 999, "b", 0), FailsWith(ENOENT));
  EXPECT_THAT(::linkat(AT_FDCWD, path("a").c_str(), 999, "b", 0), FailsWith(EBADF));
  EXPECT_THAT(::linkat(AT_FDCWD, "", 999, "b", AT_EMPTY_PATH), FailsWith(EBADF));
  EXPECT_THAT(::linkat(AT_FDCWD, path().c_str(), AT_FDCWD, path("a").c_str(), 0),
              FailsWith(EEXIST));
  EXPECT_THAT(::link("/proc/self/status", path("a").c_str()), FailsWith(EEXIST));
  EXPECT_THAT(::link("/proc/self/status", path("b").c_str()), FailsWith(EXDEV));
}

TEST_P(Names, A_long_name_is_an_error_where_it_would_be_looked_up) {
  make_file("a");
  EXPECT_THAT(::open(path(too_long_).c_str(), O_RDONLY), FailsWith(ENAMETOOLONG));
  EXPECT_THAT(::open(path(too_long_ + "/").c_str(), O_RDONLY), FailsWith(ENAMETOOLONG));
  EXPECT_THAT(::open(path(too_long_ + "/b").c_str(), O_RDONLY), FailsWith(ENAMETOOLONG));
  EXPECT_THAT(::open(path("missing/" + too_long_).c_str(), O_RDONLY), FailsWith(ENOENT));
  EXPECT_THAT(::open(path("a/" + too_long_).c_str(), O_RDONLY), FailsWith(ENOTDIR));
  EXPECT_THAT(::mkdir(path(too_long_).c_str(), 0700), FailsWith(ENAMETOOLONG));
  EXPECT_THAT(::rename(path("missing").c_str(), path(too_long_).c_str()), FailsWith(ENOENT));
  EXPECT_THAT(::rename(path("a").c_str(), path(too_long_).c_str()), FailsWith(ENAMETOOLONG));
  EXPECT_THAT(::rename(path(too_long_).c_str(), path("b").c_str()), FailsWith(ENAMETOOLONG));
  EXPECT_THAT(::renameat(AT_FDCWD, path(too_long_).c_str(), 999, "b"), FailsWith(EBADF));
  EXPECT_THAT(::link(path("a").c_str(), path(too_long_).c_str()), FailsWith(ENAMETOOLONG));
  EXPECT_THAT(::link(path(too_long_).c_str(), path("a/b").c_str()), FailsWith(ENAMETOOLONG));
  ASSERT_THAT(::symlink(path().c_str(), path("link").c_str()), Succeeds());
  EXPECT_THAT(::open(path("link/" + too_long_).c_str(), O_RDONLY), FailsWith(ENAMETOOLONG));
}

TEST_P(Names, A_dot_is_looked_up_in_its_directory) {
  make_file("a");
  EXPECT_THAT(::rmdir(path("a/.").c_str()), FailsWith(ENOTDIR));
  EXPECT_THAT(::rmdir(path("missing/.").c_str()), FailsWith(ENOENT));
  EXPECT_THAT(::renameat(AT_FDCWD, path("missing/.").c_str(), 999, "b"), FailsWith(ENOENT));
  EXPECT_THAT(::link(path("a").c_str(), path("missing/.").c_str()), FailsWith(ENOENT));
  ASSERT_THAT(::mkdir(path("open").c_str(), 0700), Succeeds());
  EXPECT_THAT(::rmdir(path("open/.").c_str()), FailsWith(EINVAL));
  ASSERT_THAT(::mkdir(path("d").c_str(), 0600), Succeeds());
  if (::geteuid() == 0) {
    GTEST_SKIP() << "nothing is closed to root";
  }
  EXPECT_THAT(::access(path("d/").c_str(), F_OK), Succeeds());
  EXPECT_THAT(::access(path("d/.").c_str(), F_OK), FailsWith(EACCES));
  EXPECT_THAT(::access(path("d/..").c_str(), F_OK), FailsWith(EACCES));
  EXPECT_THAT(::open(path("d/.").c_str(), O_RDONLY), FailsWith(EACCES));
  EXPECT_THAT(::open(path("d/.").c_str(), O_WRONLY | O_CREAT, 0600), FailsWith(EACCES));
  EXPECT_THAT(::symlink("a", path("d/..").c_str()), FailsWith(EACCES));
  EXPECT_THAT(::chmod(path("d/.").c_str(), 0700), FailsWith(EACCES));
}

TEST_P(Names, A_dot_behind_a_link_is_of_what_the_link_leads_to) {
  ASSERT_THAT(::mkdir(path("d").c_str(), 0700), Succeeds());
  ASSERT_THAT(::symlink("d", path("link").c_str()), Succeeds());
  ASSERT_THAT(::symlink("nothing", path("dangling").c_str()), Succeeds());
  ASSERT_THAT(::symlink("loop", path("loop").c_str()), Succeeds());
  struct Case {
    const char* name;
    int to_make, to_unlink, to_rmdir, to_rename;
  };
  for (const Case& c : {Case{"link/.", EEXIST, EISDIR, EINVAL, EBUSY},
                        Case{"dangling/.", ENOENT, ENOENT, ENOENT, ENOENT},
                        Case{"loop/.", ELOOP, ELOOP, ELOOP, ELOOP},
                        Case{"none/.", ENOENT, ENOENT, ENOENT, ENOENT}}) {
    SCOPED_TRACE(c.name);
    const std::string at = path(c.name);
    EXPECT_THAT(::mkdir(at.c_str(), 0700), FailsWith(c.to_make));
    EXPECT_THAT(::symlink("a", at.c_str()), FailsWith(c.to_make));
    EXPECT_THAT(::mknod(at.c_str(), S_IFIFO | 0600, 0), FailsWith(c.to_make));
    EXPECT_THAT(::unlink(at.c_str()), FailsWith(c.to_unlink));
    EXPECT_THAT(::rmdir(at.c_str()), FailsWith(c.to_rmdir));
    EXPECT_THAT(::rename(at.c_str(), path("new").c_str()), FailsWith(c.to_rename));
    EXPECT_THAT(::renameat2(AT_FDCWD, at.c_str(), AT_FDCWD, path("d").c_str(), RENAME_EXCHANGE),
                FailsWith(c.to_rename));
  }
  struct stat status{};
  EXPECT_THAT(::lstat(path("nothing").c_str(), &status), FailsWith(ENOENT));
  EXPECT_THAT(::stat(path("link/.").c_str(), &status), Succeeds());
}

TEST_P(Names, Of_two_names_one_may_not_be_above_the_other) {
  ASSERT_THAT(::mkdir(path("d").c_str(), 0700), Succeeds());
  ASSERT_THAT(::mkdir(path("d/e").c_str(), 0700), Succeeds());
  make_file("d/file");
  ASSERT_THAT(::chmod(path("d").c_str(), 0500), Succeeds());
  EXPECT_THAT(::rename(path("d").c_str(), path("d/e/f").c_str()), FailsWith(EINVAL));
  EXPECT_THAT(::rename(path("d").c_str(), path("d/f").c_str()), FailsWith(EINVAL));
  EXPECT_THAT(::rename(path("d/e").c_str(), path("d").c_str()), FailsWith(ENOTEMPTY));
  EXPECT_THAT(::rename(path("d/file").c_str(), path("d").c_str()), FailsWith(ENOTEMPTY));
  EXPECT_THAT(
      ::renameat2(AT_FDCWD, path("d/file").c_str(), AT_FDCWD, path("d").c_str(), RENAME_EXCHANGE),
      FailsWith(EINVAL));
  ASSERT_THAT(::chmod(path("d").c_str(), 0700), Succeeds());
}

TEST_P(Names, A_directory_that_was_closed_to_search_does_not_know_itself) {
  if (::geteuid() == 0) {
    GTEST_SKIP() << "for an ordinary user";
  }
  ASSERT_THAT(::mkdir(path("d").c_str(), 0700), Succeeds());
  EXPECT_THAT(in_child([&] {
                if (::chdir(path("d").c_str()) != 0 || ::chmod(".", 0600) != 0) {
                  return 1;
                }
                struct stat status{};
                for (const char* const name : {".", "..", "./", "./.", "../d"}) {
                  if (::stat(name, &status) == 0 || errno != EACCES) {
                    return 2;
                  }
                  if (::open(name, O_RDONLY) >= 0 || errno != EACCES) {
                    return 3;
                  }
                  if (::access(name, F_OK) == 0 || errno != EACCES) {
                    return 4;
                  }
                  if (::chmod(name, 0700) == 0 || errno != EACCES) {
                    return 5;
                  }
                }
                return ::stat("", &status) != 0 && errno == ENOENT ? 0 : 6;
              }),
              Exited(0));
}

TEST_P(Names, Above_a_removed_directory_is_its_former_parent) {
  ASSERT_THAT(::mkdir(path("d").c_str(), 0700), Succeeds());
  make_file("beside");
  EXPECT_THAT(in_child([&] {
                if (::chdir(path("d").c_str()) != 0 || ::rmdir(path("d").c_str()) != 0) {
                  return 1;
                }
                struct stat status{};
                struct stat above{};
                if (::stat(".", &status) != 0 || status.st_nlink != 0) {
                  return 2;
                }
                if (::stat("..", &status) != 0 || ::stat(path("").c_str(), &above) != 0 ||
                    status.st_ino != above.st_ino) {
                  return 3;
                }
                if (::access("../beside", F_OK) != 0) {
                  return 4;
                }
                if (::access("here", F_OK) == 0 || errno != ENOENT) {
                  return 5;
                }
                if (::open("here", O_CREAT | O_RDWR, 0600) >= 0 || errno != ENOENT) {
                  return 6;
                }
                if (::mkdir(path("d").c_str(), 0700) != 0) {  // another one of that name
                  return 7;
                }
                if (::access("../d/.", F_OK) != 0) {
                  return 8;
                }
                return ::chdir("..") == 0 && ::rmdir("d") == 0 ? 0 : 9;
              }),
              Exited(0));
}

TEST_P(Names, An_open_file_is_named_again_by_who_opened_it) {
  const auto link_of = [](int fd, const std::string& to) {
    return ::linkat(fd, "", AT_FDCWD, to.c_str(), AT_EMPTY_PATH);
  };
  const Fd file{::open(path("").c_str(), O_TMPFILE | O_RDWR, 0600)};
  ASSERT_THAT(file.get(), Succeeds());
  EXPECT_THAT(link_of(file.get(), path("own")), Succeeds());
  const auto in_other = [&](auto&& change) {
    return in_child([&] {
      if (!change()) {
        return 255;
      }
      return link_of(file.get(), path("other")) == 0 ? 0 : errno;
    });
  };
  EXPECT_THAT(in_other([] { return true; }), Exited(ENOENT)) << "a child";
  EXPECT_THAT(in_child([&] {
                const Fd mine{::open(path("own").c_str(), O_RDONLY)};
                return link_of(mine.get(), path("third")) == 0 ? 0 : errno;
              }),
              Exited(0));
  EXPECT_THAT(in_child([&] {
                const Fd mine{::open(path("own").c_str(), O_RDONLY)};
                if (::setgid(::getgid()) != 0) {
                  return 255;
                }
                return link_of(mine.get(), path("fourth")) == 0 ? 0 : errno;
              }),
              Exited(ENOENT))
      << "after a change of credentials that changed nothing";
  EXPECT_THAT(in_child([&] {
                const Fd directory{::open(path("").c_str(), O_RDONLY | O_DIRECTORY)};
                if (::setgid(::getgid()) != 0) {
                  return 255;
                }
                return ::linkat(directory.get(), "own", AT_FDCWD, path("fifth").c_str(),
                                AT_EMPTY_PATH) == 0
                           ? 0
                           : errno;
              }),
              Exited(ENOENT))
      << "whatever the path is";
}

TEST_P(Names, An_open_file_that_lost_its_name_has_no_links) {
  const Fd file = make_file("a", "", O_RDWR | O_EXCL);
  struct stat stat{};
  ASSERT_THAT(::fstat(file.get(), &stat), Succeeds());
  EXPECT_EQ(stat.st_nlink, 1U);
  ASSERT_THAT(::unlink(path("a").c_str()), Succeeds());
  ASSERT_THAT(::fstat(file.get(), &stat), Succeeds());
  EXPECT_EQ(stat.st_nlink, 0U);
}

TEST_P(Names, A_symlink_that_is_not_followed_is_no_directory) {
  ASSERT_THAT(::symlink("d", path("link").c_str()), Succeeds());
  EXPECT_THAT(::open(path("link").c_str(), O_RDONLY | O_NOFOLLOW), FailsWith(ELOOP));
  EXPECT_THAT(::open(path("link").c_str(), O_RDONLY | O_NOFOLLOW | O_DIRECTORY),
              FailsWith(ENOTDIR));
}

}  // namespace
