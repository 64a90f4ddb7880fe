// SPDX-License-Identifier: Apache-2.0
#include "fs/file_service.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <utility>
#include <vector>

namespace runhl::vmm::fs {
namespace {

// A granted tree in a temporary directory, with a secret outside of it.
class FileServiceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = std::filesystem::temp_directory_path() / "runhl-fs-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    top_ = pattern;
    std::filesystem::create_directories(top_ + "/0/dir/sub");
    write_file(top_ + "/secret", "secret");
    write_file(top_ + "/0/file", "hello");
    std::filesystem::create_symlink("../secret", top_ + "/0/escape");
    std::filesystem::create_directory_symlink("/etc", top_ + "/0/dir/etc");
    make_service(false);
  }
  void TearDown() override { std::filesystem::remove_all(top_); }

  static void write_file(const std::string& path, const std::string& text) {
    std::ofstream(path) << text;
  }

  void make_service(bool read_only) {
    GrantedTree tree;
    tree.parent = UniqueFd{::open(top_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)};
    tree.name = "0";
    tree.root = UniqueFd{::open((top_ + "/0").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)};
    tree.read_only = read_only;
    serve(std::move(tree));
  }

  /// One tree, with the caller's own rights.
  void serve(GrantedTree tree) {
    std::vector<GrantedTree> trees;
    trees.push_back(std::move(tree));
    Ceiling ceiling;
    ceiling.uid = ::getuid();
    ceiling.gid = ::getgid();
    auto service = FileService::create(std::move(trees), ceiling);
    ASSERT_TRUE(service.has_value());
    service_ = std::move(*service);
    credentials_.emplace(service_->credentials());
  }

  abi::RequestSlot request(abi::HostOp op, const std::string& path, abi::Handle handle = 0) {
    abi::RequestSlot slot{};
    slot.op = op;
    slot.handle = handle;
    slot.slot = -1;
    slot.path_length = static_cast<std::uint32_t>(path.size());
    slot.credentials.uid = ::getuid();
    slot.credentials.gid = ::getgid();
    std::memcpy(bounce_.data(), path.data(), std::min(path.size(), bounce_.size()));
    return slot;
  }
  FileAnswer ask(const abi::RequestSlot& slot) {
    return service_->handle(slot, bounce_, *credentials_);
  }
  std::int64_t open(const std::string& path, std::uint32_t flags, std::uint32_t mode = 0) {
    abi::RequestSlot slot = request(abi::HostOp::Open, path);
    slot.flags = flags;
    slot.mode = mode;
    return ask(slot).reply.result;
  }
  std::string bounce_text(std::size_t length) {
    return {reinterpret_cast<const char*>(bounce_.data()), length};
  }

  std::string top_;
  std::unique_ptr<FileService> service_;
  std::optional<OperationCredentials> credentials_;  // of this thread
  std::vector<std::byte> bounce_ = std::vector<std::byte>(abi::kBounceSize);
};

TEST_F(FileServiceTest, Reads_a_file_beneath_the_tree) {
  const std::int64_t handle = open("file", O_RDONLY);
  ASSERT_GE(handle, 1);
  abi::RequestSlot slot = request(abi::HostOp::Read, "", static_cast<abi::Handle>(handle));
  slot.length = 100;
  EXPECT_EQ(ask(slot).reply.result, 5);
  EXPECT_EQ(bounce_text(5), "hello");
}

TEST_F(FileServiceTest, Refuses_paths_that_are_not_clean) {
  for (const std::string path : {"/file", "..", "dir/../file", ".", "dir//sub", "dir/", "./file"}) {
    EXPECT_EQ(ask(request(abi::HostOp::Walk, path)).reply.result, -EINVAL) << path;
  }
  EXPECT_EQ(ask(request(abi::HostOp::Walk, std::string("fi\0le", 5))).reply.result, -EINVAL);
  EXPECT_EQ(ask(request(abi::HostOp::Walk, std::string(5000, 'a'))).reply.result, -EINVAL);
}

TEST_F(FileServiceTest, Hands_symlinks_back_instead_of_following_them) {
  FileAnswer answer = ask(request(abi::HostOp::Walk, "escape"));
  EXPECT_EQ(answer.reply.result, -ELOOP);
  EXPECT_EQ(answer.reply.link_start, 0U);
  EXPECT_EQ(answer.reply.link_end, 6U);
  EXPECT_EQ(bounce_text(answer.reply.length), "../secret");

  answer = ask(request(abi::HostOp::Walk, "dir/etc/passwd"));
  EXPECT_EQ(answer.reply.result, -ELOOP);
  EXPECT_EQ(answer.reply.link_start, 4U);
  EXPECT_EQ(answer.reply.link_end, 7U);
  EXPECT_EQ(bounce_text(answer.reply.length), "/etc");

  EXPECT_EQ(open("escape", O_RDONLY), -ELOOP);
  EXPECT_EQ(open("escape", O_WRONLY | O_TRUNC), -ELOOP);
  EXPECT_EQ(std::filesystem::file_size(top_ + "/secret"), 6U);
}

TEST_F(FileServiceTest, Shows_a_symlink_itself_when_asked) {
  abi::RequestSlot slot = request(abi::HostOp::Walk, "escape");
  slot.flags = abi::kNoFollow;
  const FileAnswer answer = ask(slot);
  EXPECT_EQ(answer.reply.result, 0);
  EXPECT_TRUE(S_ISLNK(answer.reply.attr.mode));
}

TEST_F(FileServiceTest, Chmod_never_reaches_through_a_symlink) {
  const auto before = std::filesystem::status(top_ + "/secret").permissions();
  abi::RequestSlot slot = request(abi::HostOp::SetMode, "escape");
  slot.mode = 0777;
  EXPECT_EQ(ask(slot).reply.result, -ELOOP);
  EXPECT_EQ(std::filesystem::status(top_ + "/secret").permissions(), before);
}

TEST_F(FileServiceTest, Writes_and_appends_through) {
  const std::int64_t handle = open("new", O_RDWR | O_CREAT | O_EXCL, 0640);
  ASSERT_GE(handle, 1);
  abi::RequestSlot slot = request(abi::HostOp::Write, "data", static_cast<abi::Handle>(handle));
  slot.path_length = 0;
  slot.length = 4;
  EXPECT_EQ(ask(slot).reply.result, 4);
  slot.flags = abi::kAppend;
  const FileAnswer answer = ask(slot);
  EXPECT_EQ(answer.reply.result, 4);
  EXPECT_EQ(answer.reply.attr.size, 8U);
  EXPECT_EQ(std::filesystem::file_size(top_ + "/0/new"), 8U);
}

TEST_F(FileServiceTest, Read_only_tree_refuses_every_change) {
  make_service(true);
  EXPECT_EQ(open("file", O_RDWR), -EROFS);
  EXPECT_EQ(open("file", O_RDONLY | O_TRUNC), -EROFS);
  EXPECT_EQ(open("new", O_WRONLY | O_CREAT, 0600), -EROFS);
  EXPECT_EQ(open("missing", O_WRONLY), -ENOENT);
  EXPECT_EQ(ask(request(abi::HostOp::MakeDir, "d")).reply.result, -EROFS);
  EXPECT_EQ(ask(request(abi::HostOp::MakeDir, "dir")).reply.result, -EEXIST);
  EXPECT_EQ(ask(request(abi::HostOp::Unlink, "file")).reply.result, -EROFS);
  EXPECT_EQ(ask(request(abi::HostOp::SetMode, "file")).reply.result, -EROFS);
  EXPECT_GE(open("file", O_RDONLY), 1);
  EXPECT_TRUE(std::filesystem::exists(top_ + "/0/file"));
}

TEST_F(FileServiceTest, Lists_a_directory_in_batches_without_loss) {
  for (int i = 0; i < 3000; ++i) {
    write_file(top_ + "/0/dir/sub/n" + std::to_string(i), "");
  }
  const std::int64_t handle = open("dir/sub", O_RDONLY | O_DIRECTORY);
  ASSERT_GE(handle, 1);
  abi::RequestSlot slot = request(abi::HostOp::ReadDir, "", static_cast<abi::Handle>(handle));
  std::vector<std::string> names;
  for (;;) {
    const FileAnswer answer = ask(slot);
    ASSERT_GE(answer.reply.result, 0);
    if (answer.reply.result == 0) {
      break;
    }
    for (std::size_t at = 0; at < static_cast<std::size_t>(answer.reply.result);) {
      abi::DirRecord record;
      std::memcpy(&record, &bounce_[at], sizeof(record));
      names.emplace_back(reinterpret_cast<const char*>(&bounce_[at + sizeof(record)]),
                         record.name_length);
      at += record.record_length;
    }
    slot.offset = answer.reply.cookie;
  }
  std::sort(names.begin(), names.end());
  EXPECT_EQ(names.size(), 3002U);  // with . and ..
  EXPECT_EQ(std::unique(names.begin(), names.end()), names.end());
}

TEST_F(FileServiceTest, Never_injects_a_writable_descriptor_for_reading) {
  const std::int64_t handle = open("file", O_RDWR);
  ASSERT_GE(handle, 1);
  abi::RequestSlot slot = request(abi::HostOp::Inject, "", static_cast<abi::Handle>(handle));
  slot.slot = abi::kFdInjectedFirst;
  FileAnswer answer = ask(slot);
  EXPECT_EQ(answer.reply.result, abi::kFdInjectedFirst);
  EXPECT_EQ(::fcntl(answer.inject_fd, F_GETFL) & O_ACCMODE, O_RDONLY);
  slot.flags = abi::kInjectWritable;
  answer = ask(slot);
  EXPECT_EQ(::fcntl(answer.inject_fd, F_GETFL) & O_ACCMODE, O_RDWR);
  for (const int bad : {-1, 0, 3, 63, 1024, 1 << 30}) {
    slot.slot = bad;
    EXPECT_EQ(ask(slot).reply.result, -EINVAL) << bad;
  }
}

TEST_F(FileServiceTest, Never_injects_directories) {
  const std::int64_t handle = open("dir", O_RDONLY | O_DIRECTORY);
  abi::RequestSlot slot = request(abi::HostOp::Inject, "", static_cast<abi::Handle>(handle));
  slot.slot = abi::kFdInjectedFirst;
  const FileAnswer answer = ask(slot);
  EXPECT_EQ(answer.reply.result, -ENODEV);
  EXPECT_EQ(answer.inject_fd, -1);
}

TEST_F(FileServiceTest, Fifos_are_told_not_opened) {
  ASSERT_EQ(::mkfifo((top_ + "/0/fifo").c_str(), 0600), 0);
  abi::RequestSlot slot = request(abi::HostOp::Open, "fifo");
  FileAnswer answer = ask(slot);
  EXPECT_EQ(answer.reply.result, -ENXIO);
  EXPECT_TRUE(S_ISFIFO(answer.reply.attr.mode));
  EXPECT_EQ(service_->open_handles(), 0U);
}

TEST_F(FileServiceTest, Handles_end_and_are_bounded) {
  const std::int64_t handle = open("file", O_RDONLY);
  EXPECT_EQ(ask(request(abi::HostOp::Close, "", static_cast<abi::Handle>(handle))).reply.result, 0);
  EXPECT_EQ(ask(request(abi::HostOp::Close, "", static_cast<abi::Handle>(handle))).reply.result,
            -EBADF);
  EXPECT_EQ(ask(request(abi::HostOp::Close, "", 0)).reply.result, -EBADF);
  for (const abi::Handle bad : {-1, 1, 5000, INT32_MIN, INT32_MAX}) {
    EXPECT_EQ(ask(request(abi::HostOp::Read, "", bad)).reply.result, -EBADF) << bad;
  }
  std::int64_t last = 0;
  for (int i = 0; i < 1100 && last >= 0; ++i) {
    last = open("file", O_RDONLY);
  }
  EXPECT_TRUE(last == -ENFILE || last == -EMFILE);
}

TEST_F(FileServiceTest, Renames_within_the_tree_and_reports_the_second_path) {
  const std::string first = "file";
  const std::string second = "dir/etc/x";
  abi::RequestSlot slot = request(abi::HostOp::Rename, first + second);
  slot.path_length = 4;
  slot.path2_length = static_cast<std::uint32_t>(second.size());
  const FileAnswer answer = ask(slot);
  EXPECT_EQ(answer.reply.result, -ELOOP);
  EXPECT_EQ(answer.reply.link_start, 4U | abi::kSecondPath);
  std::memcpy(bounce_.data(), "filedir/moved", 13);
  slot.path2_length = 9;
  EXPECT_EQ(ask(slot).reply.result, 0);
  EXPECT_TRUE(std::filesystem::exists(top_ + "/0/dir/moved"));
}

TEST(OperationCredentialsTest, Cuts_to_the_ceiling) {
  Ceiling ceiling;
  ceiling.uid = 1000;
  ceiling.gid = 1000;
  ceiling.groups = {7};
  ceiling.capabilities = 1;  // CAP_CHOWN
  const OperationCredentials credentials(ceiling);
  abi::FsCredentials forged{};
  forged.capabilities = ~0ULL;
  forged.group_count = 1;  // group 0
  const abi::FsCredentials held = credentials.limit(forged);
  EXPECT_EQ(held.uid, 1000U);
  EXPECT_EQ(held.gid, 1000U);
  EXPECT_EQ(held.capabilities, 1U);
  ASSERT_EQ(held.group_count, 1U);
  EXPECT_EQ(held.groups[0], 7U);
}

TEST(OperationCredentialsTest, Setuid_in_the_ceiling_allows_other_ids) {
  Ceiling ceiling;
  ceiling.capabilities = 1ULL << 7 | 1ULL << 6;  // CAP_SETUID, CAP_SETGID
  const OperationCredentials credentials(ceiling);
  abi::FsCredentials wanted{};
  wanted.uid = 5;
  wanted.gid = 6;
  EXPECT_EQ(credentials.limit(wanted).uid, 5U);
  EXPECT_EQ(credentials.limit(wanted).gid, 6U);
  wanted.group_count = 1000;  // a lie about the array
  EXPECT_EQ(credentials.limit(wanted).group_count, 0U);
}

TEST_F(FileServiceTest, Serves_the_extended_attributes_that_programs_use) {
  const auto with_name = [this](abi::HostOp op, const std::string& name, const std::string& value) {
    abi::RequestSlot slot = request(op, "file" + name + value);
    slot.path_length = 4;
    slot.path2_length = static_cast<std::uint32_t>(name.size());
    slot.length = value.size();
    return slot;
  };
  EXPECT_EQ(ask(with_name(abi::HostOp::SetXattr, "user.a", "one")).reply.result, 0);
  abi::RequestSlot get = with_name(abi::HostOp::GetXattr, "user.a", "");
  EXPECT_EQ(ask(get).reply.result, 3) << "no room: the size";
  get = with_name(abi::HostOp::GetXattr, "user.a", "");
  get.length = 100;
  EXPECT_EQ(ask(get).reply.result, 3);
  EXPECT_EQ(bounce_text(3), "one");
  abi::RequestSlot list = request(abi::HostOp::ListXattr, "file");
  list.length = 100;
  EXPECT_EQ(ask(list).reply.result, 7);
  EXPECT_EQ(bounce_text(7), std::string("user.a\0", 7));
  abi::RequestSlot again = with_name(abi::HostOp::SetXattr, "user.a", "x");
  again.mode = 1;  // XATTR_CREATE
  EXPECT_EQ(ask(again).reply.result, -EEXIST);
  EXPECT_EQ(ask(with_name(abi::HostOp::RemoveXattr, "user.a", "")).reply.result, 0);
  EXPECT_EQ(ask(with_name(abi::HostOp::GetXattr, "user.a", "")).reply.result, -ENODATA);
}

TEST_F(FileServiceTest, Extended_attributes_of_the_host_itself_are_not_reached) {
  const auto ask_for = [this](abi::HostOp op, const std::string& name) {
    abi::RequestSlot slot = request(op, "file" + name);
    slot.path_length = 4;
    slot.path2_length = static_cast<std::uint32_t>(name.size());
    return ask(slot).reply.result;
  };
  EXPECT_EQ(ask_for(abi::HostOp::SetXattr, "trusted.overlay.opaque"), -EPERM);
  EXPECT_EQ(ask_for(abi::HostOp::GetXattr, "trusted.overlay.opaque"), -ENODATA);
  EXPECT_EQ(ask_for(abi::HostOp::SetXattr, "security.selinux"), -EPERM);
  EXPECT_EQ(ask_for(abi::HostOp::RemoveXattr, "security.ima"), -EPERM);
  EXPECT_EQ(ask_for(abi::HostOp::SetXattr, "system.nfs4_acl"), -EOPNOTSUPP);
  EXPECT_EQ(ask_for(abi::HostOp::GetXattr, "nonsense"), -EOPNOTSUPP);
  EXPECT_EQ(ask_for(abi::HostOp::GetXattr, std::string("user.a\0b", 8)), -EINVAL);
}

TEST_F(FileServiceTest, Extended_attribute_requests_are_bounded) {
  abi::RequestSlot slot = request(abi::HostOp::SetXattr, "file");
  slot.path2_length = 0;
  EXPECT_EQ(ask(slot).reply.result, -ERANGE);
  slot.path2_length = 256;
  EXPECT_EQ(ask(slot).reply.result, -ERANGE);
  slot.path2_length = 10;
  slot.length = abi::kBounceSize;
  EXPECT_EQ(ask(slot).reply.result, -EINVAL) << "the value would end behind the buffer";
  slot.length = ~0ULL;
  EXPECT_EQ(ask(slot).reply.result, -EINVAL);
  slot.path_length = ~0U;
  slot.length = 0;
  EXPECT_EQ(ask(slot).reply.result, -EINVAL);
  slot = request(abi::HostOp::ListXattr, "escape");
  EXPECT_EQ(ask(slot).reply.result, -ELOOP) << "a symlink is the guest's to resolve";
}

TEST_F(FileServiceTest, Makes_fifos_and_sockets_and_refuses_other_kinds) {
  abi::RequestSlot slot = request(abi::HostOp::MakeNode, "fifo");
  slot.mode = S_IFIFO | 0640;
  const FileAnswer answer = ask(slot);
  EXPECT_EQ(answer.reply.result, 0);
  EXPECT_EQ(answer.reply.attr.mode & S_IFMT, std::uint32_t{S_IFIFO});
  EXPECT_EQ(ask(slot).reply.result, -EEXIST);
  slot = request(abi::HostOp::MakeNode, "socket");
  slot.mode = S_IFSOCK | 0600;
  EXPECT_EQ(ask(slot).reply.result, 0);
  EXPECT_TRUE(std::filesystem::is_socket(top_ + "/0/socket"));
  slot.mode = S_IFDIR | 0700;
  EXPECT_EQ(ask(slot).reply.result, -EPERM);
  slot.mode = 0644;
  EXPECT_EQ(ask(slot).reply.result, -EINVAL);
  // Without CAP_MKNOD in the ceiling a device is refused by the host.
  slot = request(abi::HostOp::MakeNode, "device");
  slot.mode = S_IFBLK | 0600;
  slot.rdev_major = 8;
  EXPECT_EQ(ask(slot).reply.result, -EPERM);
}

TEST_F(FileServiceTest, Ranges_are_checked) {
  const auto handle = static_cast<abi::Handle>(open("file", O_RDWR));
  ASSERT_GE(handle, 1);
  abi::RequestSlot slot = request(abi::HostOp::Allocate, "", handle);
  slot.length = 8192;
  EXPECT_EQ(ask(slot).reply.attr.size, 8192U);
  slot.offset = INT64_MAX;
  EXPECT_EQ(ask(slot).reply.result, -EINVAL);
  slot.offset = 0;
  slot.mode = 0x1000;
  EXPECT_EQ(ask(slot).reply.result, -EOPNOTSUPP);
  slot = request(abi::HostOp::Seek, "", handle);
  slot.mode = SEEK_DATA;
  EXPECT_EQ(ask(slot).reply.result, 0);
  slot.offset = 9000;
  EXPECT_EQ(ask(slot).reply.result, -ENXIO);
  slot.mode = SEEK_END;
  EXPECT_EQ(ask(slot).reply.result, -EINVAL);
  slot = request(abi::HostOp::CopyRange, "", handle);
  slot.handle2 = 77;
  EXPECT_EQ(ask(slot).reply.result, -EBADF);
  slot.handle2 = handle;
  slot.offset2 = ~0ULL;
  EXPECT_EQ(ask(slot).reply.result, -EINVAL);
}

TEST_F(FileServiceTest, Locks_of_two_handles_exclude_each_other) {
  const auto one = static_cast<abi::Handle>(open("file", O_RDWR));
  const auto two = static_cast<abi::Handle>(open("file", O_RDWR));
  abi::RequestSlot slot = request(abi::HostOp::RecordLock, "", one);
  slot.offset = 10;
  slot.length = 10;
  slot.mode = F_WRLCK;
  EXPECT_EQ(ask(slot).reply.result, 0);
  slot.handle = two;
  EXPECT_EQ(ask(slot).reply.result, -EAGAIN);
  slot.op = abi::HostOp::TestLock;
  const FileAnswer test = ask(slot);
  EXPECT_EQ(test.reply.result, 0);
  EXPECT_EQ(test.reply.count, std::uint32_t{F_WRLCK});
  EXPECT_EQ(test.reply.cookie, 10U);
  EXPECT_EQ(test.reply.attr.size, 10U);
  slot = request(abi::HostOp::FileLock, "", one);
  slot.mode = 2;  // LOCK_EX
  EXPECT_EQ(ask(slot).reply.result, 0);
  slot.handle = two;
  EXPECT_EQ(ask(slot).reply.result, -EAGAIN);
}

TEST_F(FileServiceTest, Nonsense_locks_are_refused) {
  const auto handle = static_cast<abi::Handle>(open("file", O_RDWR));
  abi::RequestSlot slot = request(abi::HostOp::RecordLock, "", handle);
  slot.mode = 77;
  EXPECT_EQ(ask(slot).reply.result, -EINVAL);
  slot.mode = F_RDLCK;
  slot.offset = ~0ULL;
  EXPECT_EQ(ask(slot).reply.result, -EINVAL);
  slot.offset = 1;
  slot.length = INT64_MAX;
  EXPECT_EQ(ask(slot).reply.result, -EINVAL);
  slot = request(abi::HostOp::FileLock, "", handle);
  slot.mode = 32;  // LOCK_MAND
  EXPECT_EQ(ask(slot).reply.result, -EINVAL);
  slot.mode = 1;
  slot.handle = 0;
  EXPECT_EQ(ask(slot).reply.result, -EBADF) << "a tree's root is no open file";
}

TEST_F(FileServiceTest, A_nameless_file_can_be_given_a_name) {
  const auto handle = static_cast<abi::Handle>(open("dir", O_TMPFILE | O_RDWR, 0600));
  ASSERT_GE(handle, 1) << "the file system of the tests knows O_TMPFILE";
  abi::RequestSlot slot = request(abi::HostOp::LinkHandle, "named", handle);
  slot.path2_length = std::exchange(slot.path_length, 0);
  slot.handle2 = 0;
  const std::int64_t linked = ask(slot).reply.result;
  if (linked == -ENOENT) {
    GTEST_SKIP() << "before Linux 6.10 this takes CAP_DAC_READ_SEARCH";
  }
  EXPECT_EQ(linked, 0);
  EXPECT_TRUE(std::filesystem::exists(top_ + "/0/named"));
}

// What `-v /:/host` grants: the host's root with all that is mounted below it.
TEST_F(FileServiceTest, Kernel_file_systems_below_a_tree_are_not_served) {
  GrantedTree root;
  root.parent = UniqueFd{::open("/", O_PATH | O_CLOEXEC)};
  root.name = ".";
  root.root = UniqueFd{::open("/", O_PATH | O_CLOEXEC)};
  root.recursive = true;
  serve(std::move(root));
  using abi::HostOp;
  for (const HostOp op :
       {HostOp::Walk, HostOp::Open, HostOp::ReadLink, HostOp::SetMode, HostOp::SetTimes,
        HostOp::ListXattr, HostOp::Lookup, HostOp::MakeDir, HostOp::Unlink, HostOp::MakeNode}) {
    for (const char* path : {"proc/version", "proc/self", "proc/self/status", "proc/sys/kernel"}) {
      abi::RequestSlot slot = request(op, path);
      slot.mode = op == HostOp::MakeNode ? S_IFIFO | 0600 : op == HostOp::SetMode ? 0444 : 0;
      EXPECT_EQ(ask(slot).reply.result, -EACCES) << path << " " << static_cast<int>(op);
    }
  }
  for (const HostOp op : {HostOp::Rename, HostOp::Link}) {
    abi::RequestSlot slot = request(op, "proc/versionproc/v");
    slot.path_length = 12;
    slot.path2_length = 6;
    EXPECT_EQ(ask(slot).reply.result, -EACCES);
  }
  EXPECT_EQ(open("proc/version", O_WRONLY | O_TRUNC), -EACCES);
  EXPECT_GE(open("usr", O_RDONLY | O_DIRECTORY), 1) << "the rest is served";
}

TEST_F(FileServiceTest, A_read_only_tree_takes_no_change_of_any_kind) {
  make_service(true);
  abi::RequestSlot slot = request(abi::HostOp::MakeNode, "fifo");
  slot.mode = S_IFIFO | 0600;
  EXPECT_EQ(ask(slot).reply.result, -EROFS);
  slot = request(abi::HostOp::SetXattr, "fileuser.a1");
  slot.path_length = 4;
  slot.path2_length = 6;
  slot.length = 1;
  EXPECT_EQ(ask(slot).reply.result, -EROFS);
  EXPECT_EQ(open("dir", O_TMPFILE | O_RDWR, 0600), -EROFS);
}

}  // namespace
}  // namespace runhl::vmm::fs
