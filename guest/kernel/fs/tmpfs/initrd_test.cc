// SPDX-License-Identifier: Apache-2.0
// A directory of the host, written as an archive by the converter, as the guest's file system.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/fs.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "fs/tmpfs/initrd_archive.h"
#include "fs/tmpfs/tmpfs.h"
#include "hosted/task_hosted.h"
#include "runhl/initrd/archive.h"
#include "runhl/initrd/directory.h"

namespace runhl::kernel {
namespace {

namespace stdfs = std::filesystem;

template <typename T>
int error_of(const Result<T>& result) {
  return result ? 0 : to_int(result.error());
}

/// Refuses every third name once, as a full buffer does.
class Collect final : public DirSink {
 public:
  bool add(std::string_view name, std::uint64_t, std::uint64_t, std::uint8_t) override {
    if (++offered_ % 3 == 0) {
      return false;
    }
    twice = !names.insert(std::string(name)).second || twice;
    return true;
  }
  [[nodiscard]] std::size_t capacity() const override { return 32768; }
  std::set<std::string> names;
  bool twice = false;

 private:
  int offered_ = 0;
};

/// The names in a directory; a damaged one may end early.
std::set<std::string> list(Node& node, const std::string& path, bool* twice = nullptr) {
  Collect sink;
  const auto opened = node.open({.path = path}, {.flags = O_RDONLY | O_DIRECTORY});
  std::uint64_t cookie = 0;
  for (int calls = 0; opened && calls < 1000; ++calls) {
    const auto end = opened->node->read_directory(cookie, sink);
    if (!end || *end == EndOfDirectory::Yes) {
      break;
    }
  }
  if (twice != nullptr) {
    *twice = sink.twice;
  } else {
    EXPECT_FALSE(sink.twice) << path;
  }
  return sink.names;
}

std::string read(Node& node, const std::string& path) {
  const auto opened = node.open({.path = path}, {.flags = O_RDONLY});
  if (!opened || opened->node == nullptr) {
    return "error " + std::to_string(error_of(opened));
  }
  std::string text(opened->attr.size + 1, '\0');
  IoBuffer buffer{std::as_writable_bytes(std::span<char>(text))};
  text.resize(opened->node->read_at(buffer, 0).value());
  return text;
}

void write(Node& node, const std::string& path, std::uint64_t offset, std::string text) {
  const auto opened = node.open({.path = path}, {.flags = O_WRONLY | O_CREAT, .mode = 0644});
  ASSERT_TRUE(opened) << path;
  IoBuffer buffer{std::as_writable_bytes(std::span<char>(text))};
  std::uint64_t end = 0;
  ASSERT_TRUE(opened->node->write_at(buffer, offset, end));
}

class InitrdTest : public ::testing::Test {
 protected:
  void SetUp() override {
    hosted::reset_task();
    hosted::map_monitor_page() = {};
    std::string pattern = stdfs::temp_directory_path() / "runhl-initrd-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    top_ = pattern;
    stdfs::create_directories(top_ + "/etc/conf.d");
    stdfs::create_directories(top_ + "/usr/lib/empty");
    put("etc/passwd", "root:x:0:0");
    put("etc/conf.d/a", "a");
    put("etc/conf.d/b", "b");
    put("usr/lib/big", big_);
    put(odd_name_, "odd");
    stdfs::create_hard_link(top_ + "/etc/passwd", top_ + "/etc/passwd.link");
    stdfs::create_symlink("usr/lib", top_ + "/lib");
    ::mkfifo((top_ + "/fifo").c_str(), 0600);
    ::chmod((top_ + "/usr/lib/big").c_str(), 04755);
    has_xattrs_ = ::setxattr((top_ + "/etc/conf.d/a").c_str(), "user.note", "value", 5, 0) == 0;
    mount();
  }
  void TearDown() override {
    root_ = nullptr;
    if (mounted_ != nullptr) {
      mounted_->forget_lower_nodes();
    }
    mounted_ = nullptr;
    if (archive_ != nullptr) {
      ::munmap(archive_, size_);
    }
    stdfs::remove_all(top_);
  }

  void put(const std::string& path, const std::string& text) const {
    std::ofstream(top_ + "/" + path) << text;
  }
  void mount() {
    const UniqueFd directory(::open(top_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    initrd::DirectorySource source(directory.get());
    ASSERT_TRUE(source.scan());
    const UniqueFd out(::open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
    size_ = initrd::write_archive(source.tree(), source, out.get()).value();
    archive_ = static_cast<std::byte*>(
        ::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE, out.get(), 0));
    ASSERT_NE(archive_, MAP_FAILED);
    const auto archive = InitrdArchive::open({archive_, size_});
    ASSERT_TRUE(archive);
    mounted_ = TmpfsNode::create_initrd_root(*archive, kLimit).value();
    root_ = mounted_.get();
  }
  [[nodiscard]] abi::FileAttr stat(const std::string& path) const {
    const auto attr = root_->walk({.path = path, .follow = false});
    EXPECT_TRUE(attr) << path;
    return attr ? *attr : abi::FileAttr{};
  }
  [[nodiscard]] int stat_error(const std::string& path) const {
    return error_of(root_->walk({.path = path, .follow = false}));
  }
  int rename(const std::string& from, const std::string& to, std::uint32_t flags = 0) const {
    return error_of(root_->rename({.path = from}, *root_, {.path = to}, flags));
  }

  static constexpr std::uint64_t kLimit = 64 * kPageSize;
  const std::string big_ = [] {
    std::string text(3 * kPageSize + 17, '\0');
    for (std::size_t i = 0; i < text.size(); ++i) {
      text[i] = static_cast<char>('a' + i % 23);
    }
    return text;
  }();
  const std::string odd_name_ = "etc/\xff\x01 name\n";
  std::string top_;
  bool has_xattrs_ = false;
  std::byte* archive_ = nullptr;
  std::size_t size_ = 0;
  Ref<TmpfsNode> mounted_;
  Node* root_ = nullptr;
};

TEST_F(InitrdTest, Shows_what_was_converted) {
  EXPECT_EQ(list(*root_, ""), (std::set<std::string>{"etc", "fifo", "lib", "usr"}));
  EXPECT_EQ(list(*root_, "etc"),
            (std::set<std::string>{"conf.d", "passwd", "passwd.link", odd_name_.substr(4)}));
  EXPECT_EQ(read(*root_, "etc/passwd.link"), "root:x:0:0");
  EXPECT_EQ(read(*root_, "usr/lib/big"), big_);
  EXPECT_EQ(read(*root_, odd_name_), "odd");
  EXPECT_EQ(list(*root_, "usr/lib/empty"), std::set<std::string>{});
  for (const std::string path : {"etc", "usr/lib/big", "etc/passwd", "lib", "fifo"}) {
    struct stat real{};
    ASSERT_EQ(::lstat((top_ + "/" + path).c_str(), &real), 0);
    const abi::FileAttr attr = stat(path);
    EXPECT_EQ(attr.mode, real.st_mode) << path;
    EXPECT_EQ(attr.uid, real.st_uid);
    EXPECT_EQ(attr.modified.seconds, real.st_mtim.tv_sec);
    EXPECT_EQ(attr.modified.nanoseconds, real.st_mtim.tv_nsec);
    if (!S_ISDIR(real.st_mode)) {
      EXPECT_EQ(attr.links, real.st_nlink);
      EXPECT_EQ(attr.size, static_cast<std::uint64_t>(real.st_size));
    }
  }
  EXPECT_EQ(stat("etc").links, 3U);
  EXPECT_EQ(stat("etc/passwd").inode, stat("etc/passwd.link").inode);
  LinkStop stop;
  EXPECT_EQ(error_of(root_->walk({.path = "lib/big", .stop = &stop})), ELOOP);
  EXPECT_EQ(stop.text(), "usr/lib");
  EXPECT_EQ(stat_error("etc/none"), ENOENT);
  EXPECT_EQ(stat_error("etc/passwd/x"), ENOTDIR);
}

TEST_F(InitrdTest, Extended_attributes_come_along_and_can_be_changed) {
  if (stat("etc/conf.d/a").size != 1 || !has_xattrs_) {
    GTEST_SKIP() << "the host's file system has none";
  }
  std::array<std::byte, 8> room{};
  ASSERT_EQ(root_->get_xattr({.path = "etc/conf.d/a"}, "user.note", room).value(), 5U);
  EXPECT_EQ(std::memcmp(room.data(), "value", 5), 0);
  ASSERT_TRUE(root_->remove_xattr({.path = "etc/conf.d/a"}, "user.note"));
  EXPECT_EQ(error_of(root_->get_xattr({.path = "etc/conf.d/a"}, "user.note", room)), ENODATA);
}

TEST_F(InitrdTest, A_write_is_seen_by_every_name_and_every_open_file) {
  const auto before = root_->open({.path = "etc/passwd"}, {.flags = O_RDONLY});
  const std::uint64_t inode = before->attr.inode;
  write(*root_, "etc/passwd.link", 0, "ROOT");
  EXPECT_EQ(read(*root_, "etc/passwd"), "ROOT:x:0:0");
  EXPECT_EQ(stat("etc/passwd").inode, inode);
  std::string text(4, '\0');
  IoBuffer buffer{std::as_writable_bytes(std::span<char>(text))};
  ASSERT_TRUE(before->node->read_at(buffer, 0));
  EXPECT_EQ(text, "ROOT");
}

TEST_F(InitrdTest, Changes_survive_when_nobody_holds_the_file) {
  write(*root_, "usr/lib/big", 5000, "X");
  ASSERT_TRUE(root_->set_mode({.path = "etc/conf.d/a"}, 0600));
  for (int i = 0; i < 600; ++i) {  // pushes unchanged nodes out
    ASSERT_TRUE(root_->make_directory({.path = "d" + std::to_string(i)}, 0755));
    (void)read(*root_, "etc/conf.d/b");
  }
  std::string expected = big_;
  expected[5000] = 'X';
  EXPECT_EQ(read(*root_, "usr/lib/big"), expected);
  EXPECT_EQ(stat("etc/conf.d/a").mode, S_IFREG | 0600U);
}

TEST_F(InitrdTest, A_removed_name_is_gone_and_can_come_again) {
  ASSERT_TRUE(root_->remove({.path = "etc/passwd"}, false));
  EXPECT_EQ(stat_error("etc/passwd"), ENOENT);
  EXPECT_EQ(stat("etc/passwd.link").links, 1U);
  EXPECT_FALSE(list(*root_, "etc").contains("passwd"));
  write(*root_, "etc/passwd", 0, "new");
  EXPECT_EQ(read(*root_, "etc/passwd"), "new");
  EXPECT_EQ(read(*root_, "etc/passwd.link"), "root:x:0:0");
  EXPECT_NE(stat("etc/passwd").inode, stat("etc/passwd.link").inode);
  EXPECT_EQ(list(*root_, "etc").size(), 4U);
}

TEST_F(InitrdTest, A_directory_is_empty_when_nothing_shows) {
  EXPECT_EQ(error_of(root_->remove({.path = "etc/conf.d"}, true)), ENOTEMPTY);
  ASSERT_TRUE(root_->remove({.path = "etc/conf.d/a"}, false));
  EXPECT_EQ(error_of(root_->remove({.path = "etc/conf.d"}, true)), ENOTEMPTY);
  ASSERT_TRUE(root_->remove({.path = "etc/conf.d/b"}, false));
  write(*root_, "etc/conf.d/c", 0, "c");
  EXPECT_EQ(error_of(root_->remove({.path = "etc/conf.d"}, true)), ENOTEMPTY);
  ASSERT_TRUE(root_->remove({.path = "etc/conf.d/c"}, false));
  EXPECT_TRUE(root_->remove({.path = "etc/conf.d"}, true));
  EXPECT_EQ(stat("etc").links, 2U);
  ASSERT_TRUE(root_->make_directory({.path = "etc/conf.d"}, 0755));
  EXPECT_EQ(list(*root_, "etc/conf.d"), std::set<std::string>{}) << "not what was there before";
}

TEST_F(InitrdTest, A_directory_moves_with_all_that_is_in_it) {
  const std::uint64_t inode = stat("etc/conf.d").inode;
  ASSERT_EQ(rename("etc/conf.d", "usr/lib/conf"), 0);
  EXPECT_EQ(stat_error("etc/conf.d"), ENOENT);
  EXPECT_EQ(stat("usr/lib/conf").inode, inode);
  EXPECT_EQ(read(*root_, "usr/lib/conf/a"), "a");
  EXPECT_EQ(stat("etc").links, 2U);
  EXPECT_EQ(stat("usr/lib").links, 4U);
  EXPECT_EQ(rename("usr", "usr/lib/conf/usr"), EINVAL);
  EXPECT_EQ(rename("usr/lib", "usr/lib/conf/lib"), EINVAL);
  ASSERT_EQ(rename("usr/lib/conf", "etc/conf.d"), 0) << "back, over the hidden name";
  EXPECT_EQ(list(*root_, "etc/conf.d"), (std::set<std::string>{"a", "b"}));
  EXPECT_EQ(rename("usr/lib", "etc/conf.d/x/y"), ENOENT);
  EXPECT_EQ(rename("etc/conf.d", "usr/lib"), ENOTEMPTY);
  EXPECT_EQ(rename("etc/conf.d", "usr/lib/empty"), 0);
  EXPECT_EQ(read(*root_, "usr/lib/empty/b"), "b");
}

TEST_F(InitrdTest, Renames_replace_exchange_and_refuse) {
  EXPECT_EQ(rename("etc/conf.d/a", "etc/conf.d/b", RENAME_NOREPLACE), EEXIST);
  EXPECT_EQ(rename("etc/passwd", "etc/passwd.link"), 0);
  EXPECT_EQ(stat("etc/passwd").links, 2U) << "two names of one file: nothing happens";
  EXPECT_EQ(rename("etc/conf.d/a", "etc/conf.d/b"), 0);
  EXPECT_EQ(read(*root_, "etc/conf.d/b"), "a");
  EXPECT_EQ(list(*root_, "etc/conf.d"), (std::set<std::string>{"b"}));
  EXPECT_EQ(rename("etc/conf.d", "fifo", RENAME_EXCHANGE), 0);
  EXPECT_EQ(read(*root_, "fifo/b"), "a");
  EXPECT_EQ(stat("etc/conf.d").mode & S_IFMT, std::uint32_t{S_IFIFO});
  EXPECT_EQ(stat("etc").links, 2U);
  EXPECT_EQ(rename("fifo", "etc/passwd"), ENOTDIR);
  EXPECT_EQ(rename("etc/passwd", "fifo"), EISDIR);
}

TEST_F(InitrdTest, Links_and_memory_are_counted) {
  ASSERT_TRUE(root_->make_link({.path = "usr/lib/big"}, *root_, {.path = "etc/big"}));
  EXPECT_EQ(stat("usr/lib/big").links, 2U);
  ASSERT_TRUE(root_->remove({.path = "usr/lib/big"}, false));
  EXPECT_EQ(read(*root_, "etc/big"), big_);
  const std::uint64_t free_before = root_->statfs()->blocks_free;
  write(*root_, "etc/big", 0, "x");
  EXPECT_EQ(root_->statfs()->blocks_free, free_before - 1) << "one page of four";
  const auto opened = root_->open({.path = "etc/big"}, {.flags = O_RDONLY});
  ASSERT_TRUE(root_->remove({.path = "etc/big"}, false));
  EXPECT_EQ(opened->node->attributes()->links, 0U);
  std::string text(1, '\0');
  IoBuffer buffer{std::as_writable_bytes(std::span<char>(text))};
  EXPECT_EQ(opened->node->read_at(buffer, 0).value(), 1U);
}

TEST_F(InitrdTest, Maps_the_archives_own_pages) {
  const auto opened = root_->open({.path = "usr/lib/big"}, {.flags = O_RDONLY});
  const std::uint64_t length = align_up(big_.size(), kPageSize);
  const auto whole = opened->node->backing(0, length, MapUse::Private);
  ASSERT_TRUE(whole);
  EXPECT_EQ(whole->kind, aspace::Backing::Kind::Initrd);
  EXPECT_EQ(whole->length, 3 * kPageSize);
  const auto last = opened->node->backing(3 * kPageSize, kPageSize, MapUse::Private);
  ASSERT_TRUE(last);
  EXPECT_EQ(last->kind, aspace::Backing::Kind::KernelMemory) << "its end must read as zeros";
}

TEST_F(InitrdTest, Nothing_in_a_damaged_archive_is_believed) {
  const std::size_t tail = size_ - sizeof(abi::initrd::Tail) - abi::initrd::kTrailerSize;
  abi::initrd::Tail where;
  std::memcpy(&where, archive_ + tail, sizeof where);
  const std::vector<std::byte> good(archive_ + where.inodes, archive_ + tail);
  const std::function<void(Node&, const std::string&)> visit = [&visit](Node& node,
                                                                        const std::string& path) {
    bool twice = false;
    for (const std::string& name : list(node, path, &twice)) {
      const std::string at = path.empty() ? name : path + "/" + name;
      const auto attr = node.walk({.path = at, .follow = false});
      if (attr && S_ISDIR(attr->mode) && at.size() < 60) {
        visit(node, at);
      } else if (attr && S_ISREG(attr->mode) && attr->size < 1 << 20) {
        (void)read(node, at);
      }
      (void)node.rename({.path = at}, node, {.path = "moved"}, 0);
    }
  };
  std::mt19937 random(7);
  for (int round = 0; round < 300; ++round) {
    std::memcpy(archive_ + where.inodes, good.data(), good.size());
    for (int flips = 0; flips < 4; ++flips) {
      archive_[where.inodes + random() % good.size()] ^= static_cast<std::byte>(1 << random() % 8);
    }
    const auto archive = InitrdArchive::open({archive_, size_});
    ASSERT_TRUE(archive) << "the tail is whole";
    const auto mounted = TmpfsNode::create_initrd_root(*archive, kLimit);
    if (mounted) {
      visit(**mounted, "");
      (*mounted)->forget_lower_nodes();
    }
  }
  archive_[tail + 20] ^= std::byte{1};
  EXPECT_EQ(error_of(InitrdArchive::open({archive_, size_})), EIO);
  EXPECT_EQ(error_of(InitrdArchive::open({archive_, size_ - 4})), EIO);
  EXPECT_EQ(error_of(InitrdArchive::open({archive_, 10})), EIO);
}

}  // namespace
}  // namespace runhl::kernel
