// SPDX-License-Identifier: Apache-2.0
#include "runhl/shim/jail.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "jail/forked_test.h"
#include "runhl/base/sys_recording.h"

namespace runhl::shim {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

JailSpec two_trees() {
  JailSpec spec;
  spec.uid = 1000;
  spec.gid = 100;
  spec.trees = {
      {.source = "/b/rootfs", .pointer = "/root/path", .read_only = false, .recursive = true},
      {.source = "/etc/hosts",
       .pointer = "/mounts/3/source",
       .read_only = true,
       .recursive = false}};
  return spec;
}

Result<Jail> jail_of(Sys& sys, const JailSpec& spec) {
  return build_jail(sys, spec, TRY(detach_trees(sys, spec.trees)));
}

TEST(JailTest, Trees_are_cloned_restricted_and_attached_in_order) {
  RecordingSys sys;
  sys.modes["/etc/hosts"] = S_IFREG | 0644;
  const auto jail = jail_of(sys, two_trees());
  ASSERT_TRUE(jail) << jail.error().message;
  EXPECT_THAT(
      sys.calls,
      ElementsAre(
          "open_resolved /b/rootfs 0x4", "statfs </b/rootfs>", "stat </b/rootfs>",
          "open_tree recursive /b/rootfs", "mount_attributes recursive /b/rootfs nosuid,nodev",
          "open_resolved /etc/hosts 0x0", "statfs </etc/hosts>", "stat </etc/hosts>",
          "open_tree /etc/hosts", "mount_attributes recursive /etc/hosts ro,nosuid,nodev",
          "new_mount tmpfs mode=0711 uid=1000 gid=100 size=64k nr_inodes=4 nosuid,nodev,noexec",
          "attach <tmpfs> /", "fchdir <tmpfs>", "pivot_root . .", "unmount .", "chdir /",
          "mkdir tmpfs/0 0700", "attach </b/rootfs> tmpfs/0", "open tmpfs/0", "open tmpfs/.",
          "open_write tmpfs/1", "attach </etc/hosts> tmpfs/1", "open tmpfs/1", "open tmpfs/.",
          "mount_attributes tmpfs ro"));
  ASSERT_EQ(jail->trees.size(), 2U);
  EXPECT_EQ(jail->trees[0].name, "0");
  EXPECT_TRUE(jail->trees[0].directory && jail->trees[0].recursive && !jail->trees[0].read_only);
  EXPECT_EQ(jail->trees[1].name, "1");
  EXPECT_TRUE(!jail->trees[1].directory && jail->trees[1].read_only);
}

struct Refusal {
  const char* path;
  mode_t mode;
  std::uint64_t magic;
  const char* message;
};

TEST(JailTest, What_cannot_be_granted_is_refused_by_pointer) {
  constexpr std::uint64_t kExt4 = EXT4_SUPER_MAGIC;
  const Refusal refusals[] = {
      {"/b/rootfs", S_IFREG, kExt4, "/root/path: /b/rootfs is not a directory"},
      {"/etc/hosts", S_IFREG, PROC_SUPER_MAGIC,
       "/mounts/3/source: /etc/hosts lies on proc, an interface of the host's kernel"},
      {"/etc/hosts", S_IFDIR, SYSFS_MAGIC,
       "/mounts/3/source: /etc/hosts lies on sysfs, an interface of the host's kernel"},
      {"/etc/hosts", S_IFDIR, CGROUP2_SUPER_MAGIC,
       "/mounts/3/source: /etc/hosts lies on cgroup2, an interface of the host's kernel"},
  };
  for (const Refusal& refusal : refusals) {
    RecordingSys sys;
    sys.modes[refusal.path] = refusal.mode;
    sys.fs_magics[refusal.path] = refusal.magic;
    const auto jail = jail_of(sys, two_trees());
    ASSERT_FALSE(jail);
    EXPECT_EQ(jail.error().message, refusal.message);
    EXPECT_FALSE(sys.called("pivot_root"));
  }
}

TEST(JailTest, Missing_sources_and_a_symlinked_rootfs_are_named) {
  RecordingSys missing_root;
  missing_root.fail("open_resolved /b/rootfs", ENOENT);
  EXPECT_EQ(jail_of(missing_root, two_trees()).error().message,
            "/root/path: /b/rootfs: No such file or directory");
  RecordingSys symlink;
  symlink.fail("open_resolved /b/rootfs", ELOOP);
  EXPECT_EQ(jail_of(symlink, two_trees()).error().message,
            "/root/path: /b/rootfs is, or is reached by, a symlink");
  RecordingSys missing_bind;
  missing_bind.fail("open_resolved /etc/hosts", ENOENT);
  const auto jail = jail_of(missing_bind, two_trees());
  EXPECT_EQ(jail.error().message, "/mounts/3/source: /etc/hosts: No such file or directory");
  EXPECT_EQ(jail.error().code, ErrorCode::NotFound);
}

TEST(JailTest, A_forbidden_call_is_named) {
  RecordingSys sys;
  sys.fail("open_tree", EPERM);
  EXPECT_THAT(
      jail_of(sys, two_trees()).error().message,
      ::testing::AllOf(HasSubstr("/root/path: open_tree"), HasSubstr("Operation not permitted")));
  RecordingSys namespaces;
  namespaces.fail("unshare", EPERM);
  EXPECT_EQ(enter_mount_namespace(namespaces).error().message,
            "unshare mount namespace: Operation not permitted");
}

TEST(JailTest, Locked_submounts_come_along_without_making_the_tree_recursive) {
  RecordingSys sys;
  sys.modes["/etc/hosts"] = S_IFREG;
  sys.fail("open_tree /etc/hosts", EINVAL);
  const auto jail = jail_of(sys, two_trees());
  ASSERT_TRUE(jail) << jail.error().message;
  EXPECT_TRUE(sys.called("open_tree recursive /etc/hosts"));
  EXPECT_FALSE(jail->trees[1].recursive);
}

TEST(JailTest, Every_failing_step_fails_the_whole) {
  RecordingSys good;
  ASSERT_TRUE(jail_of(good, two_trees()));
  for (std::size_t step = 0; step < good.calls.size(); ++step) {
    RecordingSys sys;
    sys.fail_nth(step, EIO);
    EXPECT_FALSE(jail_of(sys, two_trees())) << good.calls[step];
  }
}

// For real, in a process of its own.

class RealJail : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = "/tmp/runhl_jail_test.XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    base_ = name;
    ASSERT_EQ(::mkdir((base_ + "/rootfs").c_str(), 0755), 0);
    ASSERT_EQ(::mkdir((base_ + "/rootfs/etc").c_str(), 0755), 0);
    ASSERT_EQ(::symlink("rootfs", (base_ + "/link").c_str()), 0);
    const UniqueFd file(::open((base_ + "/file").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
    ASSERT_EQ(::write(file.get(), "hello", 5), 5);
  }
  void TearDown() override {
    Sys& sys = linux_sys();
    for (const char* name : {"/rootfs/made", "/file", "/link"}) {
      (void)sys.unlink(AT_FDCWD, base_ + name);
    }
    for (const char* name : {"/rootfs/etc", "/rootfs", ""}) {
      (void)sys.rmdir(AT_FDCWD, base_ + name);
    }
  }
  [[nodiscard]] JailSpec spec() const {
    JailSpec spec;
    spec.trees = {{.source = base_ + "/rootfs",
                   .pointer = "/root/path",
                   .read_only = false,
                   .recursive = true},
                  {.source = base_ + "/file",
                   .pointer = "/mounts/0/source",
                   .read_only = true,
                   .recursive = false},
                  {.source = base_ + "/rootfs",
                   .pointer = "/mounts/1/source",
                   .read_only = true,
                   .recursive = false}};
    return spec;
  }
  std::string base_;
};

TEST_F(RealJail, Holds_the_granted_trees_and_nothing_else) {
  in_forked_root([this] {
    Sys& sys = linux_sys();
    const auto entered = enter_mount_namespace(sys);
    expect_in_fork(entered.has_value(), entered ? "" : entered.error().message);
    const auto jail = jail_of(sys, spec());
    expect_in_fork(jail.has_value(), jail ? "" : jail.error().message);
    for (const char* path : {"/etc", "/proc/self", "/tmp", "/../etc", "/usr"}) {
      expect_in_fork(::access(path, F_OK) != 0, std::string(path) + " is out of sight");
    }
    expect_in_fork(::access("/0/etc", F_OK) == 0, "the rootfs is there");
    expect_in_fork(sys.read_file(AT_FDCWD, "/1", 16) == "hello", "the file is there");
    expect_in_fork(::mkdir("/new", 0755) != 0 && errno == EROFS, "the jail is read-only");
    const UniqueFd made(::openat(jail->trees[0].root.get(), "made", O_CREAT | O_WRONLY, 0644));
    expect_in_fork(static_cast<bool>(made), "the rootfs is writable");
    expect_in_fork(::open("/1", O_WRONLY) < 0 && errno == EROFS, "a read-only file is");
    expect_in_fork(::open("/2/made", O_WRONLY) < 0 && errno == EROFS, "a read-only tree is");
    struct statvfs flags{};
    expect_in_fork(::statvfs("/0", &flags) == 0, "statvfs");
    expect_in_fork((flags.f_flag & (ST_NOSUID | ST_NODEV | ST_NOEXEC)) == (ST_NOSUID | ST_NODEV),
                   "nosuid and nodev, not noexec");
  });
  EXPECT_EQ(::access((base_ + "/rootfs/made").c_str(), F_OK), 0) << "writes go through";
}

TEST_F(RealJail, Refuses_a_rootfs_reached_by_a_symlink_and_kernel_file_systems) {
  in_forked_root([this] {
    Sys& sys = linux_sys();
    expect_in_fork(enter_mount_namespace(sys).has_value(), "namespace");
    JailSpec link = spec();
    link.trees[0].source = base_ + "/link";
    const auto linked = jail_of(sys, link);
    expect_in_fork(!linked && linked.error().code == ErrorCode::InvalidArgument, "symlink");
    for (const char* source : {"/proc", "/sys", "/proc/self/ns/net"}) {
      JailSpec kernels = spec();
      kernels.trees[1].source = source;
      const auto jail = jail_of(sys, kernels);
      expect_in_fork(!jail && jail.error().code == ErrorCode::Unsupported, source);
    }
    expect_in_fork(::access("/etc", F_OK) == 0, "the root is still the host's");
  });
}

}  // namespace
}  // namespace runhl::shim
