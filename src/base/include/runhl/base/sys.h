// SPDX-License-Identifier: Apache-2.0
// The kernel calls that set a container up, behind one seam: the real ones (LinuxSys) and a
// recording fake (sys_recording.h) with which jail, control groups and namespaces are tested
// without root.
//
//   Sys& sys = linux_sys();
//   TRY(sys.mkdir(AT_FDCWD, "/sys/fs/cgroup/pids/c1", 0755));
//   UniqueFd tree = TRY(sys.open_tree(AT_FDCWD, "/data", OPEN_TREE_CLONE));
//
// Every error names the call and the path ("mkdir /sys/fs/cgroup/pids/c1: Permission denied"); the
// layer that knows the noun puts it in front. Every descriptor is close-on-exec. `dir` is a
// directory's descriptor or AT_FDCWD. EINTR is retried where Linux may answer it.
#pragma once

#include <linux/filter.h>
#include <sys/types.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runhl/base/result.h"
#include "runhl/base/unique_fd.h"

namespace runhl {

struct FileStat {
  mode_t mode = 0;  ///< type and permissions, as st_mode
  uid_t uid = 0;
  gid_t gid = 0;
  std::uint64_t device = 0, inode = 0;
};

/// The three sets that capset(2) writes; bit n = CAP n.
struct CapabilityState {
  std::uint64_t effective = 0, permitted = 0, inheritable = 0;
};

class Sys {
 public:
  Sys() = default;
  Sys(const Sys&) = delete;
  Sys& operator=(const Sys&) = delete;
  Sys(Sys&&) = delete;
  Sys& operator=(Sys&&) = delete;
  virtual ~Sys() = default;

  // Files
  virtual Result<UniqueFd> open(int dir, const std::string& path, int flags, mode_t mode = 0) = 0;
  /// openat2 with `resolve` (RESOLVE_*).
  virtual Result<UniqueFd> open_resolved(int dir, const std::string& path, int flags,
                                         std::uint64_t resolve) = 0;
  virtual Result<void> mkdir(int dir, const std::string& path, mode_t mode) = 0;
  virtual Result<void> rmdir(int dir, const std::string& path) = 0;
  virtual Result<void> unlink(int dir, const std::string& path) = 0;
  virtual Result<void> rename(int dir, const std::string& from, const std::string& to) = 0;
  /// Errors: InvalidArgument, when there are more than `max_bytes`.
  virtual Result<std::string> read_file(int dir, const std::string& path,
                                        std::size_t max_bytes) = 0;
  /// One open for writing and one write, as kernel file systems want it; never creates.
  virtual Result<void> write_file(int dir, const std::string& path, std::string_view text) = 0;
  /// One write to an open file of a kernel file system; `what` names it in the error.
  virtual Result<void> write(int fd, std::string_view text, const std::string& what) = 0;
  virtual Result<FileStat> stat(int fd, const std::string& what) = 0;
  /// The magic number of the file system that `fd` lies on.
  virtual Result<std::uint64_t> file_system(int fd, const std::string& what) = 0;
  /// A write lock on byte `offset` that belongs to the open file; false: somebody else has it.
  virtual Result<bool> try_lock_byte(int fd, off_t offset) = 0;
  /// flock(2) for writing, until the open file is closed; false: somebody else has it.
  virtual Result<bool> try_lock_file(int fd, const std::string& what) = 0;
  /// An extended attribute of at most 1024 bytes. Errors: errno ENODATA, when it has none.
  virtual Result<std::string> attribute(const std::string& path, const std::string& name) = 0;
  virtual Result<void> set_attribute(int fd, const std::string& name, std::string_view value,
                                     const std::string& what) = 0;

  // Mounts
  /// A new, detached mount of a file system that needs no device.
  virtual Result<UniqueFd> new_mount(const std::string& type,
                                     std::span<const std::pair<std::string, std::string>> options,
                                     std::uint64_t attributes) = 0;
  virtual Result<UniqueFd> open_tree(int dir, const std::string& path, unsigned flags) = 0;
  /// Attaches the detached `mount` at a path.
  virtual Result<void> attach_mount(int mount, int dir, const std::string& path) = 0;
  /// Sets MOUNT_ATTR_* bits; `flags`: AT_EMPTY_PATH, AT_RECURSIVE.
  virtual Result<void> set_mount_attributes(int dir, const std::string& path, unsigned flags,
                                            std::uint64_t attributes) = 0;
  /// mount(2) of the propagation of `path`: MS_REC | MS_PRIVATE, ...
  virtual Result<void> set_propagation(const std::string& path, unsigned long flags) = 0;
  virtual Result<void> unmount(const std::string& path, int flags) = 0;
  virtual Result<void> pivot_root(const std::string& new_root, const std::string& put_old) = 0;
  virtual Result<void> chdir(const std::string& path) = 0;
  virtual Result<void> fchdir(int fd) = 0;

  // Namespaces
  /// `what` names the namespaces in the error.
  virtual Result<void> unshare(int flags, const std::string& what) = 0;
  virtual Result<void> setns(int fd, int type, const std::string& what) = 0;
  virtual Result<void> set_hostname(const std::string& name) = 0;
  virtual Result<void> set_domainname(const std::string& name) = 0;
  /// Sets IFF_UP on an interface of the current network namespace.
  virtual Result<void> bring_interface_up(const std::string& name) = 0;

  // Credentials and limits
  [[nodiscard]] virtual uid_t effective_uid() = 0;
  [[nodiscard]] virtual gid_t effective_gid() = 0;
  virtual Result<void> set_groups(std::span<const std::uint32_t> groups) = 0;
  virtual Result<void> set_gids(gid_t gid) = 0;  ///< real, effective and saved
  virtual Result<void> set_uids(uid_t uid) = 0;
  virtual Result<CapabilityState> capabilities() = 0;
  virtual Result<void> set_capabilities(const CapabilityState& state) = 0;
  /// prctl(2); `what` names it in the error. Returns what the call returns.
  virtual Result<int> prctl(int option, unsigned long argument, const std::string& what) = 0;
  virtual Result<void> set_rlimit(int resource, std::uint64_t soft, std::uint64_t hard) = 0;

  // Processes
  virtual Result<void> kill(pid_t pid, int signal) = 0;
  virtual void sleep_ms(int milliseconds) = 0;

  // Notification
  virtual Result<UniqueFd> event_fd() = 0;
  /// An inotify descriptor that becomes readable when `path` changes.
  virtual Result<UniqueFd> watch_file(int dir, const std::string& path) = 0;

  // Confinement
  /// 0: Landlock is not there.
  [[nodiscard]] virtual int landlock_abi() = 0;
  virtual Result<UniqueFd> landlock_create(std::uint64_t handled_file_access) = 0;
  virtual Result<void> landlock_allow(int ruleset, int parent, std::uint64_t access,
                                      const std::string& what) = 0;
  virtual Result<void> landlock_restrict(int ruleset) = 0;
  /// For every thread of the process.
  virtual Result<void> set_seccomp_filter(std::span<const sock_filter> filter) = 0;
};

/// The kernel itself. Has no state: any thread may use it.
Sys& linux_sys();

}  // namespace runhl
