// SPDX-License-Identifier: Apache-2.0
// Paths, mounts and files together, over the monitor's own file service and a directory of the
// test.
#include "fs/vfs.h"

#include <gtest/gtest.h>
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
#endif
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>

#include "fs/boot_mounts.h"
#include "fs/fd_table.h"
#include "fs/fs_context.h"
#include "fs/hostfs/name_cache.h"
#include "fs/tmpfs/tmpfs.h"
#include "hosted/monitor_backend.h"
#include "hosted/task_hosted.h"

namespace runhl::kernel {
namespace {

/// What is mounted is never given back: no leak.
#ifdef __SANITIZE_ADDRESS__
using KernelLifetime = __lsan::ScopedDisabler;
#else
struct KernelLifetime {
  KernelLifetime() {}  // NOLINT(modernize-use-equals-default): a variable of it is not unused
};
#endif

namespace stdfs = std::filesystem;

template <typename T>
int error_of(const Result<T>& result) {
  return result ? 0 : to_int(result.error());
}

/// The tables that the monitor would write for these mounts.
class ConfigBlock {
 public:
  struct Entry {
    abi::MountKind kind;
    std::string target;
    abi::Handle tree = -1;
    std::uint32_t flags = 0;
  };
  explicit ConfigBlock(const std::vector<Entry>& entries) : bytes_(65536) {
    auto& config = *reinterpret_cast<abi::BootConfig*>(bytes_.data());
    config.mounts = 4096;
    config.mount_count = static_cast<std::uint32_t>(entries.size());
    std::uint32_t text = 16384;
    for (std::size_t i = 0; i < entries.size(); ++i) {
      auto& mount = reinterpret_cast<abi::BootMount*>(bytes_.data() + config.mounts)[i];
      mount.kind = entries[i].kind;
      mount.tree = entries[i].tree;
      mount.flags = entries[i].flags;
      mount.target = mount.source = text;
      mount.size_bytes = 1 << 20;
      std::memcpy(bytes_.data() + text, entries[i].target.c_str(), entries[i].target.size() + 1);
      text += static_cast<std::uint32_t>(entries[i].target.size() + 1);
    }
  }
  [[nodiscard]] const abi::BootConfig& config() const {
    return *reinterpret_cast<const abi::BootConfig*>(bytes_.data());
  }

 private:
  std::vector<std::byte> bytes_;
};

class Names final : public DirSink {
 public:
  bool add(std::string_view name, std::uint64_t, std::uint64_t, std::uint8_t) override {
    names.insert(std::string(name));
    return true;
  }
  [[nodiscard]] std::size_t capacity() const override { return 32768; }
  std::set<std::string> names;
};

class VfsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    hosted::reset_task();
    hosted::map_monitor_page() = {};
    std::string pattern = stdfs::temp_directory_path() / "runhl-vfs-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    top_ = pattern;
    stdfs::create_directories(top_ + "/root/dir/sub/deep");
    stdfs::create_directories(top_ + "/root/tmp");
    stdfs::create_directories(top_ + "/volume/inside");
    write_host("root/file", "hello");
    write_host("root/dir/sub/data", "data");
    write_host("volume/v", "volume");
    write_host("single", "bound");
    stdfs::create_symlink("dir/sub", top_ + "/root/rel");
    stdfs::create_symlink("/dir/sub", top_ + "/root/abs");
    stdfs::create_symlink("loop", top_ + "/root/loop");
    stdfs::create_symlink("../../file", top_ + "/root/dir/sub/up");
    stdfs::create_symlink("/vol/v", top_ + "/root/dir/tovol");
    stdfs::create_symlink("missing", top_ + "/root/dangling");
    Credentials& who = current().credentials;
    who.uid = who.euid = who.fsuid = who.suid = ::geteuid();
    who.gid = who.egid = who.fsgid = who.sgid = ::getegid();
    backend_ =
        hosted::make_monitor_backend({{top_, "root"}, {top_, "volume"}, {top_, "single", false}});
    hosted::set_backend(backend_.get());
    mount({{abi::MountKind::Tree, "/", 0},
           {abi::MountKind::Tmpfs, "/tmp"},
           {abi::MountKind::EmptyDir, "/proc"},
           {abi::MountKind::Dev, "/dev"},
           {abi::MountKind::EmptyDir, "/dev/pts"},
           {abi::MountKind::Tree, "/vol", 1, abi::kMountReadOnly},
           {abi::MountKind::Tree, "/etc/bound", 2, abi::kMountFile},
           {abi::MountKind::Masked, "/dir/sub/deep"},
           {abi::MountKind::ReadOnly, "/dir/sub"},
           {abi::MountKind::Masked, "/proc/kcore"}});
  }

  void mount(const std::vector<ConfigBlock::Entry>& entries) {
    const ConfigBlock block(entries);
    BootFailure failure;
    const KernelLifetime mounted;
    auto root = mount_all(block.config(), failure);
    ASSERT_TRUE(root) << failure.message.data();
    fs_ = std::make_unique<FsContext>(std::move(*root));
    files_ = std::make_unique<FdTable>();
    current().fs = fs_.get();
    current().files = files_.get();
    fs_->set_umask(022);
  }

  void TearDown() override {
    files_.reset();
    fs_.reset();
    MountTable::instance().clear();
    hosted::set_backend(nullptr);
    stdfs::remove_all(top_);
  }

  void write_host(const std::string& path, const std::string& text) const {
    std::ofstream(top_ + "/" + path) << text;
  }
  [[nodiscard]] std::string read_host(const std::string& path) const {
    std::ifstream in(top_ + "/" + path);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  static Owned<PathWalk> walk(const std::string& path) {
    auto result = walk_from_cwd(path);
    EXPECT_TRUE(result) << path;
    return std::move(*result);
  }
  static int stat_error(const std::string& path) {
    return error_of(vfs_stat(*walk(path), Follow::Yes));
  }
  static Result<Ref<File>> open(const std::string& path, std::uint32_t flags,
                                std::uint32_t mode = 0644) {
    TRY(check_open_flags(flags));
    return vfs_open(*walk(path), {.flags = flags, .mode = mode});
  }
  static int open_error(const std::string& path, std::uint32_t flags) {
    return error_of(open(path, flags));
  }
  static std::string read(const std::string& path) {
    const auto file = open(path, O_RDONLY);
    if (!file) {
      return "error " + std::to_string(to_int(file.error()));
    }
    std::string text(100, '\0');
    IoBuffer buffer{std::as_writable_bytes(std::span<char>(text))};
    const auto size = (*file)->read(buffer);
    return size ? text.substr(0, *size) : "error";
  }
  static int write(const Ref<File>& file, std::string text) {
    IoBuffer buffer{std::as_writable_bytes(std::span<char>(text))};
    return error_of(file->write(buffer));
  }
  static std::set<std::string> list(const std::string& path) {
    const auto file = open(path, O_RDONLY | O_DIRECTORY);
    Names names;
    for (std::size_t before = ~0UL; file && before != names.names.size();) {
      before = names.names.size();
      EXPECT_TRUE((*file)->read_directory(names));
    }
    return names.names;
  }
  void chdir(const std::string& path) { fs_->set_cwd(*vfs_open_directory(*walk(path))); }
  std::string cwd() {
    std::array<char, 4096> path;
    std::array<char, 4096> text;
    const auto where = *fs_->cwd()->copy_path(path);
    const auto length =
        MountTable::instance().guest_path(fs_->cwd()->mount(), {path.data(), where.length}, text);
    return {text.data(), *length};
  }

  std::string top_;
  std::unique_ptr<hosted::Backend> backend_;
  std::unique_ptr<FsContext> fs_;
  std::unique_ptr<FdTable> files_;
};

TEST_F(VfsTest, Follows_symlinks_against_the_guests_root) {
  EXPECT_EQ(read("/file"), "hello");
  EXPECT_EQ(read("/rel/data"), "data");
  EXPECT_EQ(read("/abs/data"), "data");
  EXPECT_EQ(read("rel/up"), "hello");
  EXPECT_EQ(read("/dir/tovol"), "volume") << "a symlink into another mount";
  EXPECT_EQ(stat_error("/loop"), ELOOP);
  EXPECT_EQ(stat_error("/dangling"), ENOENT);
  EXPECT_EQ(open_error("/rel", O_RDONLY | O_NOFOLLOW), ELOOP);
  EXPECT_TRUE(S_ISLNK(vfs_stat(*walk("/rel"), Follow::No)->mode));
  EXPECT_TRUE(S_ISDIR(vfs_stat(*walk("/rel/"), Follow::No)->mode)) << "a slash follows";
}

TEST_F(VfsTest, One_trip_resolves_and_opens) {
  const unsigned before = hosted::request_count();
  const auto file = open("/dir/sub/../sub2/../../file", O_RDONLY);
  EXPECT_EQ(error_of(file), ENOENT);
  const unsigned middle = hosted::request_count();
  const auto plain = open("dir/tovol", O_RDONLY | O_NOFOLLOW);
  EXPECT_EQ(hosted::request_count() - middle, 1U);
  ASSERT_TRUE(open("/file", O_RDONLY));
  EXPECT_EQ(hosted::request_count() - middle, 1U + 1U) << "closing needs no trip of its own";
  EXPECT_LE(middle - before, 2U);
}

TEST_F(VfsTest, Dot_dot_is_the_real_parent_and_stops_at_the_root) {
  EXPECT_EQ(read("/rel/../../file"), "hello");
  EXPECT_EQ(read("/../../file"), "hello");
  EXPECT_EQ(read("/vol/../file"), "hello");
  EXPECT_EQ(read("/tmp/../vol/inside/../v"), "volume");
  EXPECT_EQ(stat_error("/nothing/../file"), ENOENT);
  EXPECT_EQ(stat_error("/file/../file"), ENOTDIR);
}

TEST_F(VfsTest, Slashes_and_dots_at_the_end_want_directories) {
  EXPECT_EQ(stat_error("/file/"), ENOTDIR);
  EXPECT_EQ(stat_error("/file/."), ENOTDIR);
  EXPECT_EQ(stat_error("/dir/."), 0);
  EXPECT_EQ(stat_error("//dir///sub//"), 0);
  EXPECT_EQ(open_error("/new/", O_CREAT | O_WRONLY), EISDIR);
  EXPECT_EQ(error_of(vfs_make_directory(*walk("/made/"), 0755)), 0);
  EXPECT_TRUE(stdfs::is_directory(top_ + "/root/made"));
  EXPECT_EQ(error_of(vfs_remove(*walk("/made/."), true)), EINVAL);
  EXPECT_EQ(error_of(vfs_remove(*walk("/made/"), true)), 0);
  EXPECT_EQ(error_of(vfs_remove(*walk("/file/"), false)), ENOTDIR);
}

TEST_F(VfsTest, Names_and_paths_have_limits) {
  EXPECT_EQ(stat_error("/" + std::string(256, 'n')), ENAMETOOLONG);
  auto walk = *PathWalk::create(fs_->cwd());
  EXPECT_EQ(error_of(walk->set_path(std::string(4096, 'a'))), ENAMETOOLONG);
  EXPECT_EQ(error_of(walk->set_path("")), ENOENT);
}

TEST_F(VfsTest, Writes_reach_the_host) {
  const auto file = open("/dir/new", O_CREAT | O_EXCL | O_RDWR);
  ASSERT_TRUE(file) << error_of(file);
  EXPECT_EQ(write(*file, "one"), 0);
  EXPECT_EQ(read_host("root/dir/new"), "one");
  const auto append = open("/dir/new", O_WRONLY | O_APPEND);
  EXPECT_EQ(write(*append, " two"), 0);
  EXPECT_EQ(read_host("root/dir/new"), "one two");
  EXPECT_EQ(error_of((*file)->truncate(2)), 0);
  EXPECT_EQ(read_host("root/dir/new"), "on");
  EXPECT_EQ(open_error("/dir/new", O_CREAT | O_EXCL | O_RDWR), EEXIST);
  EXPECT_EQ(error_of(vfs_rename(*walk("/dir/new"), *walk("/renamed"), 0)), 0);
  EXPECT_EQ(read_host("root/renamed"), "on");
  EXPECT_EQ(error_of(vfs_make_symlink(*walk("/l"), "renamed")), 0);
  EXPECT_EQ(read("/l"), "on");
  EXPECT_EQ(error_of(vfs_link(*walk("/renamed"), *walk("/hard"), Follow::No)), 0);
  EXPECT_EQ(vfs_stat(*walk("/hard"), Follow::Yes)->links, 2U);
  EXPECT_EQ(error_of(vfs_set_mode(*walk("/l"), 0600, Follow::Yes)), 0);
  EXPECT_EQ(vfs_stat(*walk("/hard"), Follow::Yes)->mode & 07777, 0600U);
  EXPECT_EQ(error_of(vfs_remove(*walk("/l"), false)), 0);
  EXPECT_FALSE(stdfs::is_symlink(top_ + "/root/l"));
  ASSERT_TRUE(open("/dangling", O_CREAT | O_WRONLY)) << "through a symlink to nothing";
  EXPECT_TRUE(stdfs::exists(top_ + "/root/missing"));
}

TEST_F(VfsTest, Read_only_mounts_answer_as_Linux_does) {
  EXPECT_EQ(read("/vol/v"), "volume");
  EXPECT_EQ(open_error("/vol/v", O_WRONLY), EROFS);
  EXPECT_EQ(open_error("/vol/n", O_CREAT | O_WRONLY), EROFS);
  EXPECT_EQ(open_error("/vol/v", O_CREAT | O_RDONLY), 0);
  EXPECT_EQ(open_error("/vol/v", O_CREAT | O_EXCL | O_RDONLY), EEXIST);
  EXPECT_EQ(open_error("/vol/no/n", O_CREAT | O_WRONLY), ENOENT);
  EXPECT_EQ(error_of(vfs_make_directory(*walk("/vol/inside"), 0755)), EEXIST);
  EXPECT_EQ(error_of(vfs_make_directory(*walk("/vol/d"), 0755)), EROFS);
  EXPECT_EQ(error_of(vfs_remove(*walk("/vol/v"), false)), EROFS);
  EXPECT_EQ(error_of(vfs_remove(*walk("/vol/n"), false)), ENOENT);
  EXPECT_EQ(error_of(vfs_set_mode(*walk("/vol/v"), 0600, Follow::Yes)), EROFS);
  EXPECT_EQ(open_error("/dir/sub/data", O_WRONLY), EROFS) << "a readonlyPaths entry";
  EXPECT_EQ(open_error("/rel/data", O_WRONLY), EROFS) << "through a symlink, too";
}

TEST_F(VfsTest, Mount_points_cannot_be_removed_or_renamed) {
  EXPECT_EQ(error_of(vfs_remove(*walk("/tmp"), true)), EBUSY);
  EXPECT_EQ(error_of(vfs_rename(*walk("/tmp"), *walk("/t"), 0)), EBUSY);
  EXPECT_EQ(error_of(vfs_rename(*walk("/file"), *walk("/tmp/file"), 0)), EXDEV);
  EXPECT_EQ(error_of(vfs_make_directory(*walk("/tmp"), 0755)), EEXIST);
}

TEST_F(VfsTest, Missing_mount_points_exist_in_the_guest_alone) {
  EXPECT_EQ(read("/etc/bound"), "bound");
  EXPECT_FALSE(stdfs::exists(top_ + "/root/etc"));
  EXPECT_FALSE(stdfs::exists(top_ + "/root/vol"));
  const auto names = list("/");
  for (const char* name : {".", "..", "etc", "vol", "proc", "dev", "file", "dir"}) {
    EXPECT_TRUE(names.contains(name)) << name;
  }
  EXPECT_EQ(list("/etc"), (std::set<std::string>{".", "..", "bound"}));
}

TEST_F(VfsTest, Masked_paths_are_empty) {
  EXPECT_EQ(list("/dir/sub/deep"), (std::set<std::string>{".", ".."}));
  EXPECT_EQ(open_error("/dir/sub/deep/x", O_CREAT | O_WRONLY), EROFS);
}

TEST_F(VfsTest, Devices_work) {
  EXPECT_EQ(read("/dev/null"), "");
  EXPECT_EQ(read("/dev/zero"), std::string(100, '\0'));
  const auto full = open("/dev/full", O_WRONLY);
  EXPECT_EQ(write(*full, "x"), ENOSPC);
  EXPECT_EQ(open_error("/dev/tty", O_RDWR), ENXIO);
  EXPECT_EQ(read("/dev/urandom").size(), 100U);
  EXPECT_TRUE(list("/dev").contains("pts"));
}

TEST_F(VfsTest, Working_directory_follows_a_rename) {
  ASSERT_TRUE(vfs_make_directory(*walk("/a"), 0755));
  ASSERT_TRUE(vfs_make_directory(*walk("/a/b"), 0755));
  chdir("/a/b");
  EXPECT_EQ(cwd(), "/a/b");
  ASSERT_TRUE(open("here", O_CREAT | O_WRONLY));
  ASSERT_TRUE(vfs_rename(*walk("/a"), *walk("/c"), 0));
  EXPECT_EQ(cwd(), "/c/b");
  EXPECT_EQ(stat_error("here"), 0);
  EXPECT_EQ(stat_error("../b/here"), 0);
  chdir("/tmp");
  EXPECT_EQ(cwd(), "/tmp");
  EXPECT_EQ(read("../file"), "hello");
}

TEST_F(VfsTest, Tmpfs_is_a_file_system) {
  const auto file = open("/tmp/f", O_CREAT | O_RDWR);
  ASSERT_TRUE(file);
  EXPECT_EQ(write(*file, "abc"), 0);
  EXPECT_EQ(read("/tmp/f"), "abc");
  EXPECT_FALSE(stdfs::exists(top_ + "/root/tmp/f"));
  ASSERT_TRUE(vfs_make_directory(*walk("/tmp/d"), 0755));
  ASSERT_TRUE(vfs_make_symlink(*walk("/tmp/d/l"), "../f"));
  EXPECT_EQ(read("/tmp/d/l"), "abc");
  EXPECT_EQ(error_of(vfs_remove(*walk("/tmp/d"), true)), ENOTEMPTY);
  EXPECT_EQ(error_of(vfs_rename(*walk("/tmp/d"), *walk("/tmp/d/e"), 0)), EINVAL);
  ASSERT_TRUE(vfs_rename(*walk("/tmp/f"), *walk("/tmp/d/g"), 0));
  EXPECT_EQ(list("/tmp"), (std::set<std::string>{".", "..", "d"}));
  ASSERT_TRUE(vfs_remove(*walk("/tmp/d/g"), false));
  EXPECT_EQ((*file)->attributes()->links, 0U);
  EXPECT_EQ(write(*file, "still there"), 0);
  EXPECT_EQ(error_of((*file)->truncate(2 << 20)), 0) << "a hole needs no memory";
  EXPECT_EQ(write(*file, std::string(2 << 20, 'x')), 0) << "as much as there is room for";
  EXPECT_EQ(write(*file, "x"), ENOSPC) << "size= of the mount";
}

TEST_F(VfsTest, Permissions_bind_in_tmpfs) {
  ASSERT_TRUE(vfs_make_directory(*walk("/tmp/private"), 0700));
  ASSERT_TRUE(open("/tmp/private/f", O_CREAT | O_WRONLY, 0600));
  Credentials& who = current().credentials;
  who.fsuid += 1;
  who.effective = 0;
  EXPECT_EQ(stat_error("/tmp/private/f"), EACCES);
  EXPECT_EQ(open_error("/tmp/private", O_RDONLY), EACCES);
  EXPECT_EQ(error_of(vfs_remove(*walk("/tmp/private"), true)), EPERM) << "sticky";
}

TEST_F(VfsTest, Descriptors_are_the_lowest_free) {
  const Ref<File> file = *open("/file", O_RDONLY);
  FdTable& files = *files_;
  for (int expected = 0; expected < 5; ++expected) {
    EXPECT_EQ(*files.install(file, CloseOnExec::No, 1024), expected);
  }
  ASSERT_TRUE(files.close(1));
  ASSERT_TRUE(files.close(3));
  EXPECT_EQ(error_of(files.close(3)), EBADF);
  EXPECT_EQ(*files.install(file, CloseOnExec::Yes, 1024, 2), 3);
  EXPECT_EQ(*files.install(file, CloseOnExec::No, 1024), 1);
  EXPECT_EQ(error_of(files.install(file, CloseOnExec::No, 5)), EMFILE);
  ASSERT_TRUE(files.replace(200, file, CloseOnExec::Yes));
  files.close_marked();
  EXPECT_EQ(error_of(files.get(200)), EBADF);
  EXPECT_EQ(error_of(files.get(3)), EBADF);
  EXPECT_TRUE(files.get(4));
  files.close_range(0, ~0U);
  EXPECT_EQ(error_of(files.get(0)), EBADF);
}

TEST_F(VfsTest, Both_file_systems_keep_extended_attributes) {
  const std::string text = "value";
  const XattrValue value{.bytes = std::as_bytes(std::span<const char>(text))};
  for (const char* const path : {"/dir/attr", "/tmp/attr"}) {
    ASSERT_TRUE(open(path, O_CREAT | O_WRONLY)) << path;
    EXPECT_EQ(error_of(vfs_set_xattr(*walk(path), Follow::Yes, "user.x", value)), 0) << path;
    std::array<std::byte, 16> room{};
    EXPECT_EQ(*vfs_get_xattr(*walk(path), Follow::Yes, "user.x", room), 5U) << path;
    EXPECT_EQ(std::memcmp(room.data(), "value", 5), 0);
    EXPECT_EQ(*vfs_list_xattrs(*walk(path), Follow::Yes, room), 7U);
    EXPECT_EQ(std::memcmp(room.data(), "user.x", 7), 0);
    EXPECT_EQ(error_of(vfs_remove_xattr(*walk(path), Follow::Yes, "user.x")), 0);
    EXPECT_EQ(error_of(vfs_get_xattr(*walk(path), Follow::Yes, "user.x", {})), ENODATA);
    EXPECT_EQ(error_of(vfs_set_xattr(*walk(path), Follow::Yes, "other.x", value)), EOPNOTSUPP);
    EXPECT_EQ(*vfs_list_xattrs(*walk(path), Follow::Yes, {}), 0U);
  }
  EXPECT_EQ(error_of(vfs_set_xattr(*walk("/vol/v"), Follow::Yes, "user.x", value)), EROFS);
}

TEST_F(VfsTest, Both_file_systems_make_fifos_and_nameless_files) {
  EXPECT_EQ(error_of(check_open_flags(O_TMPFILE | O_RDONLY)), EINVAL);
  EXPECT_EQ(error_of(check_open_flags(O_TMPFILE | O_RDWR)), 0);
  for (const std::string dir : {"/dir", "/tmp"}) {
    EXPECT_EQ(error_of(vfs_make_special(*walk(dir + "/fifo"), S_IFIFO | 0666, {})), 0) << dir;
    const auto attr = vfs_stat(*walk(dir + "/fifo"), Follow::Yes);
    ASSERT_TRUE(attr);
    EXPECT_EQ(attr->mode, std::uint32_t{S_IFIFO | 0644}) << "the umask applies";
    EXPECT_EQ(error_of(vfs_make_special(*walk(dir + "/fifo"), S_IFIFO | 0666, {})), EEXIST);
    const auto file = open(dir, O_TMPFILE | O_RDWR, 0600);
    ASSERT_TRUE(file) << dir << " " << error_of(file);
    EXPECT_EQ(write(*file, "text"), 0);
    EXPECT_EQ((*file)->attributes()->links, 0U);
    ASSERT_EQ(error_of(vfs_link_file(**file, *walk(dir + "/named"))), 0) << dir;
    EXPECT_EQ(read(dir + "/named"), "text");
    const auto hidden = open(dir, O_TMPFILE | O_RDWR | O_EXCL, 0600);
    ASSERT_TRUE(hidden);
    EXPECT_EQ(error_of(vfs_link_file(**hidden, *walk(dir + "/never"))), ENOENT);
  }
}

TEST_F(VfsTest, Both_file_systems_allocate_and_find_holes) {
  for (const char* const path : {"/dir/sparse", "/tmp/sparse"}) {
    const auto file = open(path, O_CREAT | O_RDWR);
    ASSERT_TRUE(file);
    EXPECT_EQ(error_of((*file)->node()->allocate(0, 0, 3 * 4096)), 0) << path;
    EXPECT_EQ((*file)->attributes()->size, 3U * 4096) << path;
    std::string text(3 * 4096, 'x');
    EXPECT_EQ(write(*file, text), 0);
    constexpr std::uint32_t kPunch = 3;  // FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE
    EXPECT_EQ(error_of((*file)->node()->allocate(kPunch, 4096, 4096)), 0) << path;
    EXPECT_EQ(*(*file)->seek(0, SEEK_HOLE), 4096U) << path;
    EXPECT_EQ(*(*file)->seek(4096, SEEK_DATA), 8192U) << path;
    EXPECT_EQ(*(*file)->seek(8192, SEEK_HOLE), 3U * 4096) << path;
    EXPECT_EQ(error_of((*file)->seek(3 * 4096, SEEK_DATA)), ENXIO) << path;
  }
}

TEST_F(VfsTest, A_tmpfs_keeps_its_limit_of_inodes) {
  const auto root = TmpfsNode::create_root(1 << 20, 01777, 3);
  ASSERT_TRUE(root);
  EXPECT_EQ(error_of((*root)->make_directory({.path = "a"}, 0755)), 0);
  EXPECT_EQ(error_of((*root)->make_directory({.path = "b"}, 0755)), 0);
  EXPECT_EQ(error_of((*root)->make_directory({.path = "c"}, 0755)), ENOSPC);
  EXPECT_EQ((*root)->statfs()->files, 3U);
  EXPECT_EQ((*root)->statfs()->files_free, 0U);
  EXPECT_EQ(error_of((*root)->remove({.path = "a", .follow = false}, true)), 0);
  EXPECT_EQ(error_of((*root)->make_directory({.path = "c"}, 0755)), 0);
}

TEST_F(VfsTest, Path_only_descriptors_name_symlinks_and_fifos) {
  ASSERT_EQ(error_of(vfs_make_special(*walk("/dir/p"), S_IFIFO | 0600, {})), 0);
  const auto fifo = open("/dir/p", O_PATH);
  ASSERT_TRUE(fifo);
  EXPECT_TRUE(S_ISFIFO((*fifo)->attributes()->mode));
  const auto link = open("/rel", O_PATH | O_NOFOLLOW);
  ASSERT_TRUE(link);
  EXPECT_TRUE(S_ISLNK((*link)->attributes()->mode));
  std::array<char, 16> target{};
  EXPECT_EQ(*(*link)->node()->read_link({.path = {}, .follow = false}, target), 7U);
}

TEST_F(VfsTest, A_known_path_costs_no_trip_for_a_second) {
  ASSERT_EQ(stat_error("/dir/sub/data"), 0);
  const unsigned before = hosted::request_count();
  EXPECT_EQ(stat_error("/dir/sub/data"), 0);
  EXPECT_EQ(stat_error("/dir/sub/up"), 0) << "another name of the same directory: one trip";
  EXPECT_EQ(hosted::request_count() - before, 2U) << "the name, then where the symlink leads";
  const unsigned again = hosted::request_count();
  EXPECT_EQ(stat_error("/dir/sub/up"), 0);
  EXPECT_EQ(stat_error("/dir/nothing"), ENOENT);
  EXPECT_EQ(stat_error("/dir/nothing"), ENOENT);
  EXPECT_EQ(hosted::request_count() - again, 1U) << "what is missing is known, too";
  hosted::advance_clock(NameCache::kValidity);
  EXPECT_EQ(stat_error("/dir/sub/data"), 0);
  EXPECT_EQ(hosted::request_count() - again, 2U);
}

TEST_F(VfsTest, Making_a_known_path_real_costs_no_trip) {
  const auto read_link = [](const std::string& path) {
    std::array<char, 64> target{};
    const auto size = vfs_read_link(*walk(path), target);
    return size ? std::string(target.data(), *size)
                : "error " + std::to_string(to_int(size.error()));
  };
  const std::string no_link = "error " + std::to_string(EINVAL);
  hosted::advance_clock(NameCache::kValidity);  // the directories are no longer young
  EXPECT_EQ(read_link("/dir"), no_link);
  EXPECT_EQ(read_link("/dir/sub"), no_link) << "a mount point";
  EXPECT_EQ(read_link("/dir/sub/data"), no_link);
  EXPECT_EQ(read_link("/dir/sub/up"), "../../file");
  EXPECT_EQ(read_link("/rel/up"), "../../file");
  const unsigned before = hosted::request_count();
  EXPECT_EQ(read_link("/dir"), no_link);
  EXPECT_EQ(read_link("/dir/sub/data"), no_link);
  EXPECT_EQ(read_link("/dir/sub/up"), "../../file");
  EXPECT_EQ(read_link("/rel/up"), "../../file");
  EXPECT_EQ(hosted::request_count(), before);
  EXPECT_EQ(read_link("/dir/none"), "error " + std::to_string(ENOENT));
  EXPECT_EQ(read_link("/file/none"), "error " + std::to_string(ENOTDIR));
  EXPECT_EQ(read_link("/loop/none"), "error " + std::to_string(ELOOP));
  stdfs::remove(top_ + "/root/dir/sub/data");
  stdfs::create_symlink("elsewhere", top_ + "/root/dir/sub/data");
  hosted::advance_clock(NameCache::kValidity);
  EXPECT_EQ(read_link("/dir/sub/data"), "elsewhere");
}

TEST_F(VfsTest, A_change_on_the_host_is_seen_within_a_second) {
  stdfs::create_directories(top_ + "/root/dir/parent");
  write_host("root/dir/parent/data", "x");
  ASSERT_EQ(stat_error("/dir/new"), ENOENT);
  ASSERT_EQ(stat_error("/dir/parent/data"), 0);
  ASSERT_EQ(vfs_stat(*walk("/file"), Follow::Yes)->size, 5U);
  write_host("root/dir/new", "x");
  write_host("root/file", "longer text");
  stdfs::rename(top_ + "/root/dir/parent", top_ + "/root/dir/moved");
  hosted::advance_clock(NameCache::kValidity);
  EXPECT_EQ(stat_error("/dir/new"), 0);
  EXPECT_EQ(vfs_stat(*walk("/file"), Follow::Yes)->size, 11U);
  EXPECT_EQ(stat_error("/dir/moved/data"), 0);
  EXPECT_EQ(stat_error("/dir/parent/data"), ENOENT);
}

TEST_F(VfsTest, A_strict_tree_sees_changes_of_the_host_at_once) {
  MountTable::instance().clear();
  mount({{abi::MountKind::Tree, "/", 0}, {abi::MountKind::Tree, "/vol", 1, abi::kMountStrict}});
  stdfs::create_directories(top_ + "/root/vol");
  ASSERT_EQ(stat_error("/vol/new"), ENOENT);
  write_host("volume/new", "x");
  EXPECT_EQ(stat_error("/vol/new"), 0);
  stdfs::remove(top_ + "/volume/new");
  EXPECT_EQ(stat_error("/vol/new"), ENOENT);
}

TEST_F(VfsTest, Own_changes_are_seen_at_once) {
  ASSERT_EQ(stat_error("/dir/a"), ENOENT);
  const auto file = open("/dir/a", O_CREAT | O_RDWR);
  ASSERT_TRUE(file);
  EXPECT_EQ(vfs_stat(*walk("/dir/a"), Follow::Yes)->size, 0U);
  EXPECT_EQ(write(*file, "12345"), 0);
  EXPECT_EQ(vfs_stat(*walk("/dir/a"), Follow::Yes)->size, 5U);
  EXPECT_EQ(error_of(vfs_link(*walk("/dir/a"), *walk("/dir/b"), Follow::No)), 0);
  EXPECT_EQ(vfs_stat(*walk("/dir/a"), Follow::Yes)->links, 2U) << "names share their inode";
  EXPECT_EQ(error_of(vfs_set_mode(*walk("/dir/b"), 0600, Follow::Yes)), 0);
  EXPECT_EQ(vfs_stat(*walk("/dir/a"), Follow::Yes)->mode & 07777, 0600U);
  EXPECT_EQ(error_of(vfs_rename(*walk("/dir/b"), *walk("/dir/c"), 0)), 0);
  EXPECT_EQ(stat_error("/dir/b"), ENOENT);
  EXPECT_EQ(stat_error("/dir/c"), 0);
  EXPECT_EQ(error_of(vfs_remove(*walk("/dir/c"), false)), 0);
  EXPECT_EQ(stat_error("/dir/c"), ENOENT);
  EXPECT_EQ(vfs_stat(*walk("/dir/a"), Follow::Yes)->links, 1U);
  EXPECT_EQ(error_of(vfs_make_directory(*walk("/dir/d"), 0755)), 0);
  EXPECT_EQ(stat_error("/dir/d/x"), ENOENT);
  EXPECT_EQ(error_of(vfs_rename(*walk("/dir/d"), *walk("/moved"), 0)), 0);
  EXPECT_EQ(stat_error("/dir/d/x"), ENOENT);
  ASSERT_TRUE(open("/moved/x", O_CREAT | O_WRONLY));
  EXPECT_EQ(stat_error("/moved/x"), 0);
}

TEST_F(VfsTest, A_change_through_an_unknown_path_is_seen_through_a_known_one) {
  stdfs::create_directories(top_ + "/root/work");
  stdfs::create_symlink("work", top_ + "/root/way");
  chdir("/work");
  ASSERT_EQ(stat_error("data2"), ENOENT);
  hosted::advance_clock(NameCache::kValidity / 2);
  ASSERT_TRUE(open("/way/data2", O_CREAT | O_WRONLY));
  EXPECT_EQ(stat_error("data2"), 0);
  EXPECT_EQ(error_of(vfs_remove(*walk("/work/data2"), false)), 0);
  EXPECT_EQ(stat_error("data2"), ENOENT);
}

TEST_F(VfsTest, A_listed_directory_is_known_to_be_complete_and_stats_come_together) {
  stdfs::create_directories(top_ + "/root/many");
  for (int i = 0; i < 100; ++i) {
    write_host("root/many/" + std::to_string(i), "x");
  }
  hosted::advance_clock(NameCache::kValidity);  // else it could change again unnoticed
  ASSERT_EQ(list("/many").size(), 102U);
  const unsigned before = hosted::request_count();
  EXPECT_EQ(stat_error("/many/none"), ENOENT);
  EXPECT_EQ(stat_error("/many/neither"), ENOENT);
  EXPECT_EQ(hosted::request_count() - before, 1U) << "may it be searched; then: not listed";
  for (int i = 0; i < 100; ++i) {
    ASSERT_EQ(vfs_stat(*walk("/many/" + std::to_string(i)), Follow::No)->size, 1U);
  }
  EXPECT_LE(hosted::request_count() - before, 8U) << "8, 16, 32, ... together";
}

TEST_F(VfsTest, What_is_removed_and_made_counts_more_than_an_unread_listing) {
  stdfs::create_directories(top_ + "/root/many");
  for (const char* const name : {"a", "b", "c"}) {
    write_host(std::string("root/many/") + name, "x");
  }
  hosted::advance_clock(NameCache::kValidity);
  ASSERT_EQ(list("/many").size(), 5U);
  EXPECT_EQ(error_of(vfs_remove(*walk("/many/b"), false)), 0);
  EXPECT_EQ(stat_error("/many/b"), ENOENT);
  EXPECT_EQ(stat_error("/many/a"), 0);
  ASSERT_TRUE(open("/many/b", O_CREAT | O_WRONLY));
  EXPECT_EQ(stat_error("/many/b"), 0);
  EXPECT_EQ(error_of(vfs_rename(*walk("/many/c"), *walk("/many/d"), 0)), 0);
  EXPECT_EQ(stat_error("/many/c"), ENOENT);
  EXPECT_EQ(stat_error("/many/d"), 0);
  EXPECT_EQ(list("/many"), (std::set<std::string>{".", "..", "a", "b", "d"}));
  stdfs::remove(top_ + "/root/many/a");
  hosted::advance_clock(NameCache::kValidity);
  EXPECT_EQ(list("/many"), (std::set<std::string>{".", "..", "b", "d"}));
  EXPECT_EQ(stat_error("/many/a"), ENOENT);
}

TEST_F(VfsTest, A_directory_larger_than_the_cache_is_listed_and_searched_all_the_same) {
  NameCache cache(64);
  abi::FileAttr attr{};
  attr.mode = S_IFDIR | 0755;
  attr.inode = 1;
  const Ref<CachedInode> directory = cache.learn(attr);
  cache.learn_walk(cache.stamp(), *directory, {.path = {}, .attrs = {&attr, 1}}, 1);
  std::uint64_t cookie = 0;
  for (int part = 0; part < 200; ++part) {
    std::vector<std::byte> records;
    for (int i = 0; i < 100; ++i) {
      const std::string name = "n" + std::to_string(part * 100 + i);
      abi::DirRecord record{};
      record.name_length = static_cast<std::uint16_t>(name.size());
      record.record_length = static_cast<std::uint16_t>((sizeof record + name.size() + 7) & ~7U);
      const std::size_t at = records.size();
      records.resize(at + record.record_length);
      std::memcpy(&records[at], &record, sizeof record);
      std::memcpy(&records[at + sizeof record], name.data(), name.size());
    }
    cache.learn_listing(cache.stamp(), *directory,
                        {.offset = cookie,
                         .next = cookie + 100,
                         .directory = cookie == 0 ? &attr : nullptr,
                         .at_end = part == 199},
                        records);
    cookie += 100;
  }
  for (const char* const name : {"n0", "n19999", "missing"}) {
    EXPECT_EQ(cache.find(*directory, {.path = name}, 1).answer, NameCache::Answer::Unknown)
        << "not all of it was kept, so nothing is known to be missing";
  }
}

// ---- parked files ------------------------------------------------------------------------------

TEST_F(VfsTest, A_file_that_was_just_closed_opens_without_a_trip) {
  hosted::advance_clock(NameCache::kValidity);  // the directories are no longer young
  ASSERT_EQ(read("/dir/tell"), "error 2");
  write_host("root/dir/tell", "first");
  hosted::advance_clock(NameCache::kValidity);
  ASSERT_EQ(read("/dir/tell"), "first");
  ASSERT_EQ(read("/dir/tell"), "first") << "the first one may have moved the access time on";
  const unsigned before = hosted::request_count();
  auto file = open("/dir/tell", O_RDONLY);
  ASSERT_TRUE(file);
  EXPECT_EQ(hosted::request_count(), before);
  EXPECT_EQ((*file)->attributes()->size, 5U);
  write_host("root/dir/tell", "other");
  EXPECT_EQ(read("/dir/tell"), "other") << "names are cached, data never is";
}

TEST_F(VfsTest, A_parked_file_serves_only_the_name_and_the_file_that_it_was) {
  write_host("root/dir/old", "old");
  write_host("root/dir/new", "new");
  hosted::advance_clock(NameCache::kValidity);
  ASSERT_EQ(read("/dir/old"), "old");
  ASSERT_EQ(error_of(vfs_rename(*walk("/dir/new"), *walk("/dir/old"), 0)), 0);
  EXPECT_EQ(read("/dir/old"), "new");
  ASSERT_EQ(error_of(vfs_remove(*walk("/dir/old"), false)), 0);
  EXPECT_EQ(open_error("/dir/old", O_RDONLY), ENOENT);
  write_host("root/dir/old", "host");
  hosted::advance_clock(NameCache::kValidity);
  ASSERT_EQ(read("/dir/old"), "host");
  write_host("root/dir/replacing", "newer");
  stdfs::rename(top_ + "/root/dir/replacing", top_ + "/root/dir/old");
  hosted::advance_clock(NameCache::kValidity);
  EXPECT_EQ(read("/dir/old"), "newer");
}

TEST_F(VfsTest, A_removed_file_is_not_kept_open) {
  const auto open_on_host = [this](const std::string& path) {
    for (const auto& entry : stdfs::directory_iterator("/proc/self/fd")) {
      std::error_code gone;
      if (stdfs::read_symlink(entry.path(), gone).string().starts_with(top_ + path)) {
        return true;
      }
    }
    return false;
  };
  write_host("root/dir/big", "big");
  hosted::advance_clock(NameCache::kValidity);
  ASSERT_EQ(read("/dir/big"), "big");
  EXPECT_TRUE(open_on_host("/root/dir/big"));
  ASSERT_EQ(error_of(vfs_remove(*walk("/dir/big"), false)), 0);
  EXPECT_EQ(stat_error("/dir/another"), ENOENT) << "closed on the way of another request";
  EXPECT_FALSE(open_on_host("/root/dir/big"));
  write_host("root/dir/big", "again");
  hosted::advance_clock(NameCache::kValidity);
  {
    const auto file = open("/dir/big", O_RDONLY);
    ASSERT_EQ(error_of(vfs_remove(*walk("/dir/big"), false)), 0);
  }
  EXPECT_EQ(stat_error("/dir/more"), ENOENT);
  EXPECT_FALSE(open_on_host("/root/dir/big")) << "removed while it was open";
}

TEST_F(VfsTest, A_parked_file_is_for_whom_the_host_let_open_it) {
  hosted::advance_clock(NameCache::kValidity);
  ASSERT_EQ(read("/dir/sub/data"), "data");
  ASSERT_EQ(read("/dir/sub/data"), "data");
  const unsigned before = hosted::request_count();
  ASSERT_TRUE(open("/dir/sub/data", O_RDONLY));
  EXPECT_EQ(hosted::request_count(), before);
  current().credentials.fsgid += 1;
  ASSERT_TRUE(open("/dir/sub/data", O_RDONLY));
  EXPECT_GT(hosted::request_count(), before) << "somebody else";
  current().credentials.fsgid -= 1;
  ASSERT_EQ(read("/file"), "hello");
  ASSERT_EQ(read("/file"), "hello");
  ASSERT_EQ(error_of(vfs_set_mode(*walk("/file"), 0600, Follow::Yes)), 0);
  const unsigned changed = hosted::request_count();
  ASSERT_TRUE(open("/file", O_RDONLY));
  EXPECT_GT(hosted::request_count(), changed) << "a mode was changed";
}

// ---- reading ahead -----------------------------------------------------------------------------

/// A second read answers the end.
std::string read_to_end(const Ref<File>& file) {
  std::string text(100, '\0');
  IoBuffer buffer{std::as_writable_bytes(std::span<char>(text))};
  const auto size = file->read(buffer);
  IoBuffer rest{std::as_writable_bytes(std::span<char>(text).subspan(*size))};
  EXPECT_EQ(*file->read(rest), 0U);
  return text.substr(0, *size);
}

TEST_F(VfsTest, A_small_file_costs_one_trip_once_programs_read_what_they_open) {
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(read_to_end(*open("/file", O_RDONLY)), "hello");
  }
  const unsigned before = hosted::request_count();
  EXPECT_EQ(read_to_end(*open("/file", O_RDONLY)), "hello");
  EXPECT_EQ(read_to_end(*open("/dir/sub/data", O_RDONLY)), "data");
  EXPECT_EQ(hosted::request_count() - before, 2U);
  write_host("root/empty", "");
  EXPECT_EQ(read_to_end(*open("/empty", O_RDONLY)), "");
}

TEST_F(VfsTest, What_was_read_ahead_is_forgotten_by_time_and_by_any_request) {
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(read_to_end(*open("/file", O_RDONLY)), "hello");
  }
  auto file = open("/file", O_RDONLY);
  write_host("root/file", "later");
  hosted::advance_clock(1'000'000);
  EXPECT_EQ(read_to_end(*file), "later");
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(read_to_end(*open("/file", O_RDONLY)), "later");
  }
  file = open("/file", O_RDONLY);
  write_host("root/file", "again");
  ASSERT_TRUE(open("/dir", O_RDONLY)) << "a request: the host may have waited for it";
  EXPECT_EQ(read_to_end(*file), "again");
}

TEST_F(VfsTest, Reading_ahead_serves_pieces_and_files_of_every_size) {
  for (const std::size_t size :
       {0UL, 1UL, 4095UL, 4096UL, 4097UL, abi::kMaxReadAhead - 1, abi::kMaxReadAhead,
        abi::kMaxReadAhead + 1, abi::kBounceSize, abi::kBounceSize + 1}) {
    std::string text(size, '\0');
    for (std::size_t i = 0; i < size; ++i) {
      text[i] = static_cast<char>('a' + i % 23);
    }
    write_host("root/sized", text);
    hosted::advance_clock(NameCache::kValidity);
    for (const std::size_t piece : {512UL, 4096UL, 100000UL}) {
      for (int round = 0; round < 3; ++round) {
        const auto file = open("/sized", O_RDONLY);
        ASSERT_TRUE(file);
        std::string got;
        for (;;) {
          std::string part(piece, '\0');
          IoBuffer buffer{std::as_writable_bytes(std::span<char>(part))};
          const auto done = (*file)->read(buffer);
          ASSERT_TRUE(done);
          if (*done == 0) {
            break;
          }
          got += part.substr(0, *done);
        }
        EXPECT_TRUE(got == text) << size << " by " << piece;
      }
    }
  }
}

TEST_F(VfsTest, The_cache_forgets_what_does_not_fit) {
  NameCache cache(64);
  abi::FileAttr attr{};
  attr.mode = S_IFDIR | 0755;
  attr.inode = 1;
  const Ref<CachedInode> root = cache.learn(attr);
  std::vector<abi::FileAttr> attrs{attr, attr};
  for (std::uint64_t i = 2; i < 2000; ++i) {
    attrs[1].inode = i;
    attrs[1].mode = S_IFREG | 0644;
    const std::string name = "n" + std::to_string(i);
    cache.learn_walk(cache.stamp(), *root, {.path = name, .attrs = attrs}, 1);
    ASSERT_EQ(cache.find(*root, {.path = name}, 1).answer, NameCache::Answer::Attributes);
    EXPECT_EQ(cache.find(*root, {.path = name}, 3).answer, NameCache::Answer::Unknown)
        << "somebody else has to ask";
  }
  EXPECT_EQ(cache.find(*root, {.path = "n2"}, 1).answer, NameCache::Answer::Unknown);
}

TEST_F(VfsTest, An_inode_number_that_comes_back_is_another_file) {
  NameCache cache(64);
  abi::FileAttr attr{};
  attr.mode = S_IFREG | 0644;
  attr.inode = 7;
  attr.born.seconds = 100;
  const Ref<CachedInode> old = cache.learn(attr);
  attr.born.seconds = 200;
  const Ref<CachedInode> fresh = cache.learn(attr);
  EXPECT_NE(old, fresh);
  EXPECT_FALSE(cache.attributes(*old));
  EXPECT_EQ(cache.attributes(*fresh)->born.seconds, 200);
}

}  // namespace
}  // namespace runhl::kernel
