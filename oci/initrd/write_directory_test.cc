// SPDX-License-Identifier: Apache-2.0
#include "runhl/initrd/write_directory.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <string>

#include "runhl/base/file_io.h"

namespace runhl::initrd {
namespace {

class OneFile final : public FileSource {
 public:
  explicit OneFile(std::string bytes) : bytes_(std::move(bytes)) {}
  Result<Opened> open(InodeNumber /*inode*/) override {
    Opened opened{.fd = UniqueFd(::open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)),
                  .offset = 2};
    TRY(write_all(opened.fd.get(), "xx" + bytes_, "test"));
    return opened;
  }

 private:
  std::string bytes_;
};

class WriteDirectory : public ::testing::Test {
 protected:
  WriteDirectory() {
    std::string name = std::filesystem::temp_directory_path() / "runhl-tree-XXXXXX";
    path_ = ::mkdtemp(name.data());
    root_ = UniqueFd(::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }
  void TearDown() override {
    std::filesystem::permissions(path_ / "closed", std::filesystem::perms::owner_all);
    std::filesystem::remove_all(path_);
  }
  void name(const std::string& path, InodeSpec spec) {
    ASSERT_TRUE(tree_.add_name(path, tree_.add_inode(std::move(spec))));
  }
  struct stat info(const std::string& path) {
    struct stat out{};
    EXPECT_EQ(::fstatat(root_.get(), path.c_str(), &out, AT_SYMLINK_NOFOLLOW), 0) << path;
    return out;
  }

  std::filesystem::path path_;
  UniqueFd root_;
  Tree tree_;
};

TEST_F(WriteDirectory, Makes_what_the_tree_tells) {
  name("closed", {.mode = S_IFDIR | 0555, .modified = 1000});
  name("closed/file", {.mode = S_IFREG | 04755, .size = 5, .modified = 2000, .modified_ns = 7});
  ASSERT_TRUE(tree_.add_name("closed/link", tree_.find("closed/file")));
  name("closed/symlink", {.mode = S_IFLNK | 0777, .modified = 3000, .target = "../nowhere"});
  name("fifo", {.mode = S_IFIFO | 0620});
  name("device", {.mode = S_IFCHR | 0600, .device_major = 1, .device_minor = 3});
  name(std::string("not utf-8 \xff"), {.mode = S_IFREG | 0600});
  OneFile source("bytes");
  const auto unkept = write_directory(tree_, source, root_.get(), Ownership::Callers);
  ASSERT_TRUE(unkept) << unkept.error().message;
  EXPECT_EQ(unkept->devices, 1U);
  EXPECT_EQ(unkept->xattrs, 0U);
  EXPECT_EQ(info("closed").st_mode, S_IFDIR | 0555U);
  EXPECT_EQ(info("closed").st_mtim.tv_sec, 1000);  // though files were made in it afterwards
  EXPECT_EQ(info("closed/file").st_mode, S_IFREG | 04755U);
  EXPECT_EQ(info("closed/file").st_size, 5);
  EXPECT_EQ(info("closed/file").st_mtim.tv_nsec, 7);
  EXPECT_EQ(info("closed/file").st_nlink, 2U);
  EXPECT_EQ(info("closed/file").st_ino, info("closed/link").st_ino);
  EXPECT_EQ(std::filesystem::read_symlink(path_ / "closed/symlink"), "../nowhere");
  EXPECT_EQ(info("closed/symlink").st_mtim.tv_sec, 3000);
  EXPECT_EQ(info("fifo").st_mode, S_IFIFO | 0620U);
  EXPECT_EQ(info("device").st_mode, S_IFREG | 0600U);
  info("not utf-8 \xff");
  const UniqueFd file(::openat(root_.get(), "closed/file", O_RDONLY | O_CLOEXEC));
  EXPECT_EQ(read_up_to(file.get(), 100, "test"), "bytes");
}

TEST_F(WriteDirectory, Follows_no_link_that_somebody_put_there) {
  std::filesystem::create_directory(path_ / "closed");
  std::filesystem::create_directory_symlink("/tmp", path_ / "d");
  name("d", {.mode = S_IFDIR | 0755});
  OneFile source("");
  const auto written = write_directory(tree_, source, root_.get(), Ownership::Callers);
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().os_errno, EEXIST);
}

}  // namespace
}  // namespace runhl::initrd
