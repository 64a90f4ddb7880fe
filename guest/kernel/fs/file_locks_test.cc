// SPDX-License-Identifier: Apache-2.0
// Locks between descriptor tables and open files of the guest, and against the host's own.
#include "fs/file_locks.h"

#include <gtest/gtest.h>
#include <sys/file.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "fs/fd_table.h"
#include "fs/hostfs/host_node.h"
#include "fs/hostfs/injected_files.h"
#include "fs/mount.h"
#include "fs/node_file.h"
#include "hosted/monitor_backend.h"
#include "hosted/task_hosted.h"

namespace runhl::kernel {
namespace {

template <typename T>
int error_of(const Result<T>& result) {
  return result ? 0 : to_int(result.error());
}

/// A descriptor of the test's own, beside the guest's.
class HostFd {
 public:
  explicit HostFd(int number) : number_(number) {}
  HostFd(const HostFd&) = delete;
  HostFd& operator=(const HostFd&) = delete;
  ~HostFd() { ::close(number_); }
  [[nodiscard]] int get() const { return number_; }

 private:
  int number_;
};

class FileLocksTest : public ::testing::Test {
 protected:
  void SetUp() override {
    hosted::reset_task();
    hosted::map_monitor_page() = {};
    std::string pattern = std::filesystem::temp_directory_path() / "runhl-locks-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    top_ = pattern;
    std::filesystem::create_directories(top_ + "/root");
    std::ofstream(top_ + "/root/file") << "data";
    Credentials& who = current().credentials;
    who.uid = who.euid = who.fsuid = who.suid = ::geteuid();
    who.gid = who.egid = who.fsgid = who.sgid = ::getegid();
    backend_ = hosted::make_monitor_backend({{top_, "root"}});
    hosted::set_backend(backend_.get());
    root_ = Ref<Node>(new HostNode(0, HostNode::Close::Never, tree_));
  }
  void TearDown() override {
    root_.reset();
    hosted::set_backend(nullptr);
    std::filesystem::remove_all(top_);
  }

  Ref<File> open(std::uint32_t flags = O_RDWR) {
    auto opened = root_->open({.path = "file"}, {.flags = flags});
    EXPECT_TRUE(opened);
    return Ref<File>(new NodeFile(std::move(opened->node), opened->attr.mode, flags, mount_));
  }
  static int lock(const Ref<File>& file, const LockOwner& owner, LockType type,
                  LockRange range = {}) {
    return error_of(lock_file(*file, {.owner = owner, .range = range, .type = type}, LockWait::No));
  }
  static LockOwner posix(const FdTable& table, std::int32_t pid) {
    return {.kind = FileLockKind::Posix, .id = &table, .pid = pid};
  }
  static LockOwner of(const Ref<File>& file, FileLockKind kind) {
    return {.kind = kind, .id = file.get()};
  }

  std::string top_;
  std::unique_ptr<hosted::Backend> backend_;
  InjectedFiles injected_;
  HostTree tree_{.injected = &injected_};
  Mount mount_;
  Ref<Node> root_;
  FdTable one_, two_;
};

TEST_F(FileLocksTest, Processes_exclude_each_other_by_range) {
  const Ref<File> file = open();
  EXPECT_EQ(lock(file, posix(one_, 1), LockType::Exclusive, {0, 9}), 0);
  EXPECT_EQ(lock(file, posix(two_, 2), LockType::Exclusive, {5, 20}), EAGAIN);
  EXPECT_EQ(lock(file, posix(two_, 2), LockType::Exclusive, {10, 20}), 0);
  EXPECT_EQ(lock(file, posix(one_, 1), LockType::Shared, {0, 9}), 0) << "one's own: changed";
  EXPECT_EQ(lock(file, posix(two_, 2), LockType::Shared, {0, 30}), 0);
  const auto held = find_conflict(*file, {.owner = posix(one_, 1), .type = LockType::Exclusive});
  ASSERT_TRUE(held);
  EXPECT_EQ(held->owner.pid, 2);
  EXPECT_EQ(held->type, LockType::Shared);
  EXPECT_EQ(held->range.start, 0U);
  EXPECT_EQ(held->range.end, 30U);
  release_posix_locks(one_, *file);
  release_posix_locks(two_, *file);
  EXPECT_EQ(find_conflict(*file, {.owner = posix(one_, 1), .type = LockType::Exclusive})->type,
            LockType::None);
}

TEST_F(FileLocksTest, Unlocking_the_middle_splits_a_lock) {
  const Ref<File> file = open();
  EXPECT_EQ(lock(file, posix(one_, 1), LockType::Exclusive, {0, 99}), 0);
  EXPECT_EQ(lock(file, posix(one_, 1), LockType::None, {40, 59}), 0);
  EXPECT_EQ(lock(file, posix(two_, 2), LockType::Exclusive, {40, 59}), 0);
  EXPECT_EQ(lock(file, posix(two_, 2), LockType::Exclusive, {39, 39}), EAGAIN);
  EXPECT_EQ(lock(file, posix(two_, 2), LockType::Exclusive, {60, 60}), EAGAIN);
  release_posix_locks(one_, *file);
  EXPECT_EQ(lock(file, posix(two_, 2), LockType::Exclusive, {0, 99}), 0);
  release_posix_locks(two_, *file);
}

TEST_F(FileLocksTest, Closing_any_descriptor_of_the_file_gives_up_posix_locks) {
  const Ref<File> file = open();
  EXPECT_EQ(lock(file, posix(one_, 1), LockType::Exclusive), 0);
  const auto fd = one_.install(open(O_RDONLY), CloseOnExec::No, 1024);
  ASSERT_TRUE(fd);
  EXPECT_EQ(lock(file, posix(two_, 2), LockType::Shared), EAGAIN);
  EXPECT_EQ(error_of(one_.close(*fd)), 0);
  EXPECT_EQ(lock(file, posix(two_, 2), LockType::Shared), 0);
  release_posix_locks(two_, *file);
}

TEST_F(FileLocksTest, Locks_of_open_files_end_with_them) {
  Ref<File> file = open();
  const Ref<File> other = open();
  for (const FileLockKind kind : {FileLockKind::Open, FileLockKind::Flock}) {
    EXPECT_EQ(lock(file, of(file, kind), LockType::Exclusive), 0);
    EXPECT_EQ(lock(other, of(other, kind), LockType::Shared), EAGAIN);
  }
  file.reset();
  for (const FileLockKind kind : {FileLockKind::Open, FileLockKind::Flock}) {
    EXPECT_EQ(lock(other, of(other, kind), LockType::Exclusive), 0);
  }
}

TEST_F(FileLocksTest, Flock_and_record_locks_know_nothing_of_each_other) {
  const Ref<File> file = open();
  const Ref<File> other = open();
  EXPECT_EQ(lock(file, of(file, FileLockKind::Flock), LockType::Exclusive), 0);
  EXPECT_EQ(lock(other, of(other, FileLockKind::Open), LockType::Exclusive), 0);
  EXPECT_EQ(lock(file, posix(one_, 1), LockType::Shared), EAGAIN) << "but these do";
}

TEST_F(FileLocksTest, The_host_holds_the_union_of_what_the_guest_holds) {
  const Ref<File> file = open();
  const Ref<File> reader = open(O_RDONLY);
  const HostFd host{::open((top_ + "/root/file").c_str(), O_RDWR | O_CLOEXEC)};
  const auto host_locks = [&host](short type, off_t start, off_t length) {
    struct flock wanted{};
    wanted.l_type = type;
    wanted.l_whence = SEEK_SET;
    wanted.l_start = start;
    wanted.l_len = length;
    return ::fcntl(host.get(), F_OFD_SETLK, &wanted) == 0;
  };
  EXPECT_EQ(lock(reader, posix(one_, 1), LockType::Shared, {0, 9}), 0);
  EXPECT_EQ(lock(file, posix(two_, 2), LockType::Shared, {5, 19}), 0);
  EXPECT_FALSE(host_locks(F_WRLCK, 0, 5));
  EXPECT_FALSE(host_locks(F_WRLCK, 15, 5));
  EXPECT_TRUE(host_locks(F_RDLCK, 0, 20));
  EXPECT_TRUE(host_locks(F_UNLCK, 0, 20));
  EXPECT_EQ(lock(reader, posix(one_, 1), LockType::None, {0, 9}), 0);
  EXPECT_TRUE(host_locks(F_WRLCK, 0, 5)) << "nobody's now";
  EXPECT_FALSE(host_locks(F_WRLCK, 5, 5)) << "still the second process's";
  EXPECT_EQ(lock(file, posix(two_, 2), LockType::Exclusive, {0, 3}), EAGAIN) << "the host's";
  const auto held =
      find_conflict(*file, {.owner = posix(two_, 2), .range = {0, 3}, .type = LockType::Exclusive});
  ASSERT_TRUE(held);
  EXPECT_EQ(held->type, LockType::Exclusive);
  EXPECT_EQ(held->owner.pid, -1) << "nobody of ours";
  EXPECT_TRUE(host_locks(F_UNLCK, 0, 5));
  EXPECT_EQ(lock(file, posix(two_, 2), LockType::Exclusive, {0, 19}), 0) << "stronger";
  EXPECT_FALSE(host_locks(F_RDLCK, 10, 1));
  release_posix_locks(two_, *file);
  EXPECT_TRUE(host_locks(F_WRLCK, 0, 0));
}

TEST_F(FileLocksTest, The_hosts_flock_excludes_the_guests) {
  const Ref<File> file = open();
  const HostFd host{::open((top_ + "/root/file").c_str(), O_RDONLY | O_CLOEXEC)};
  ASSERT_EQ(::flock(host.get(), LOCK_EX), 0);
  EXPECT_EQ(lock(file, of(file, FileLockKind::Flock), LockType::Shared), EAGAIN);
  ASSERT_EQ(::flock(host.get(), LOCK_SH), 0);
  EXPECT_EQ(lock(file, of(file, FileLockKind::Flock), LockType::Shared), 0);
  EXPECT_EQ(lock(file, of(file, FileLockKind::Flock), LockType::Exclusive), EAGAIN);
  EXPECT_EQ(lock(file, of(file, FileLockKind::Flock), LockType::None), 0);
}

}  // namespace
}  // namespace runhl::kernel
