// SPDX-License-Identifier: Apache-2.0
// A kernel for tests: writes down what it is asked and answers as told.
//
//   RecordingSys sys;
//   sys.files["/proc/self/mountinfo"] = "…";
//   sys.fail("mkdir /sys/fs/cgroup/pids", EACCES);
//   build(sys);
//   EXPECT_THAT(sys.calls, ElementsAre("open /data", "mount_attributes </data> nosuid,nodev", …));
//
// A descriptor that it hands out prints as "<path>", so calls read as sentences.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "runhl/base/sys.h"

namespace runhl {

class RecordingSys final : public Sys {
 public:
  std::vector<std::string> calls;

  // The world
  std::map<std::string, std::string> files;            ///< what read_file finds, by path
  std::map<std::string, mode_t> modes;                 ///< st_mode by path; default: a directory
  std::map<std::string, std::uint64_t> inodes;         ///< st_ino by path; default: 0
  std::map<std::string, std::uint64_t> fs_magics;      ///< by path; default: ext4's
  std::map<std::string, std::string> file_attributes;  ///< by "path name"; set_attribute adds
  std::vector<std::string> locked_files;               ///< by path; held by somebody else
  CapabilityState caps;
  uid_t uid = 0;
  gid_t gid = 0;
  int landlock = 7;
  std::vector<off_t> locked_bytes;  ///< held by somebody else
  std::size_t filter_length = 0;    ///< of the seccomp filter that was set

  /// Every call whose text starts with `prefix` fails from now on; `times` < 0: for ever.
  void fail(std::string prefix, int os_errno, int times = -1);
  /// The nth call from now on fails (0: the next), once.
  void fail_nth(std::size_t nth, int os_errno);

  /// Whether a call that starts with `prefix` was made.
  [[nodiscard]] bool called(std::string_view prefix) const;
  /// The calls that start with `prefix`.
  [[nodiscard]] std::vector<std::string> calls_of(std::string_view prefix) const;

  Result<UniqueFd> open(int dir, const std::string& path, int flags, mode_t mode) override;
  Result<UniqueFd> open_resolved(int dir, const std::string& path, int flags,
                                 std::uint64_t resolve) override;
  Result<void> mkdir(int dir, const std::string& path, mode_t mode) override;
  Result<void> rmdir(int dir, const std::string& path) override;
  Result<void> unlink(int dir, const std::string& path) override;
  Result<void> rename(int dir, const std::string& from, const std::string& to) override;
  Result<std::string> read_file(int dir, const std::string& path, std::size_t max_bytes) override;
  Result<void> write_file(int dir, const std::string& path, std::string_view text) override;
  Result<void> write(int fd, std::string_view text, const std::string& what) override;
  Result<FileStat> stat(int fd, const std::string& what) override;
  Result<std::uint64_t> file_system(int fd, const std::string& what) override;
  Result<bool> try_lock_byte(int fd, off_t offset) override;
  Result<bool> try_lock_file(int fd, const std::string& what) override;
  Result<std::string> attribute(const std::string& path, const std::string& name) override;
  Result<void> set_attribute(int fd, const std::string& name, std::string_view value,
                             const std::string& what) override;
  Result<UniqueFd> new_mount(const std::string& type,
                             std::span<const std::pair<std::string, std::string>> options,
                             std::uint64_t attributes) override;
  Result<UniqueFd> open_tree(int dir, const std::string& path, unsigned flags) override;
  Result<void> attach_mount(int mount, int dir, const std::string& path) override;
  Result<void> set_mount_attributes(int dir, const std::string& path, unsigned flags,
                                    std::uint64_t attributes) override;
  Result<void> set_propagation(const std::string& path, unsigned long flags) override;
  Result<void> unmount(const std::string& path, int flags) override;
  Result<void> pivot_root(const std::string& new_root, const std::string& put_old) override;
  Result<void> chdir(const std::string& path) override;
  Result<void> fchdir(int fd) override;
  Result<void> unshare(int flags, const std::string& what) override;
  Result<void> setns(int fd, int type, const std::string& what) override;
  Result<void> set_hostname(const std::string& name) override;
  Result<void> set_domainname(const std::string& name) override;
  Result<void> bring_interface_up(const std::string& name) override;
  uid_t effective_uid() override { return uid; }
  gid_t effective_gid() override { return gid; }
  Result<void> set_groups(std::span<const std::uint32_t> groups) override;
  Result<void> set_gids(gid_t id) override;
  Result<void> set_uids(uid_t id) override;
  Result<CapabilityState> capabilities() override;
  Result<void> set_capabilities(const CapabilityState& state) override;
  Result<int> prctl(int option, unsigned long argument, const std::string& what) override;
  Result<void> set_rlimit(int resource, std::uint64_t soft, std::uint64_t hard) override;
  Result<void> kill(pid_t pid, int signal) override;
  void sleep_ms(int milliseconds) override;
  Result<UniqueFd> event_fd() override;
  Result<UniqueFd> watch_file(int dir, const std::string& path) override;
  int landlock_abi() override { return landlock; }
  Result<UniqueFd> landlock_create(std::uint64_t handled_file_access) override;
  Result<void> landlock_allow(int ruleset, int parent, std::uint64_t access,
                              const std::string& what) override;
  Result<void> landlock_restrict(int ruleset) override;
  Result<void> set_seccomp_filter(std::span<const sock_filter> filter) override;

 private:
  struct Rule {
    std::string prefix;
    int os_errno;
    int times;
  };

  /// Writes `text` down; an error when it is to fail.
  Result<void> record(const std::string& text);
  Result<UniqueFd> hand_out(const std::string& text, std::string name);
  [[nodiscard]] std::string name_of(int fd) const;
  /// The path that (dir, path) means, descriptors by their names.
  [[nodiscard]] std::string place(int dir, const std::string& path) const;

  std::vector<Rule> rules_;
  std::size_t fail_at_ = static_cast<std::size_t>(-1);
  int fail_at_errno_ = 0;
  std::map<int, std::string> names_;
};

}  // namespace runhl
