// SPDX-License-Identifier: Apache-2.0
// The kernel itself. One source per subject: files, mounts, processes, confinement.
#pragma once

#include <cerrno>

#include "runhl/base/sys.h"

namespace runhl {

class LinuxSys final : public Sys {
 public:
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
  uid_t effective_uid() override;
  gid_t effective_gid() override;
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
  int landlock_abi() override;
  Result<UniqueFd> landlock_create(std::uint64_t handled_file_access) override;
  Result<void> landlock_allow(int ruleset, int parent, std::uint64_t access,
                              const std::string& what) override;
  Result<void> landlock_restrict(int ruleset) override;
  Result<void> set_seccomp_filter(std::span<const sock_filter> filter) override;
};

/// "call path: strerror" when `result` is negative, by errno.
template <typename T>
Result<void> check_call(T result, std::string_view call, std::string_view object) {
  if (result >= 0) {
    return {};
  }
  const int error = errno;
  return fail_errno(std::string(call).append(" ").append(object), error);
}

/// The same for a call that returns a descriptor.
template <typename T>
Result<UniqueFd> check_fd(T result, std::string_view call, std::string_view object) {
  TRY(check_call(result, call, object));
  return UniqueFd(static_cast<int>(result));
}

/// Calls again while a signal interrupts.
template <typename F>
auto retry_interrupted(F call) {
  for (;;) {
    const auto result = call();
    if (result >= 0 || errno != EINTR) {
      return result;
    }
  }
}

}  // namespace runhl
