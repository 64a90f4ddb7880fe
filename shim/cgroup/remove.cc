// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <csignal>

#include "cgroup/claim.h"
#include "runhl/shim/cgroup.h"

namespace runhl::shim {
namespace {

/// Children first: the plan has parents first.
Result<void> remove_all(Sys& sys, std::span<const std::string> directories) {
  for (auto directory = directories.rbegin(); directory != directories.rend(); ++directory) {
    auto removed = sys.rmdir(AT_FDCWD, *directory);
    if (!removed && removed.error().code != ErrorCode::NotFound) {
      return removed;
    }
  }
  return {};
}

/// Pids of other namespaces read as 0. Ours is here only when a person put this shell there.
void kill_listed(Sys& sys, std::string_view procs) {
  while (!procs.empty()) {
    pid_t pid = 0;
    const auto parsed = std::from_chars(procs.data(), procs.data() + procs.size(), pid);
    if (parsed.ec == std::errc{} && pid > 1 && pid != ::getpid()) {
      (void)sys.kill(pid, SIGKILL);  // gone is as good
    }
    const std::size_t end = procs.find('\n');
    procs.remove_prefix(end == std::string_view::npos ? procs.size() : end + 1);
  }
}

void kill_leftovers(Sys& sys, std::span<const std::string> directories) {
  constexpr std::size_t kMaxBytes = 1 << 20;
  for (const std::string& directory : directories) {
    if (const auto procs = sys.read_file(AT_FDCWD, directory + "/cgroup.procs", kMaxBytes)) {
      kill_listed(sys, *procs);
    }
    // In version 1 a frozen process does not die before it thaws; elsewhere there is no such file.
    (void)sys.write_file(AT_FDCWD, directory + "/freezer.state", "THAWED");
  }
}

/// Whatever is in them; the caller knows that they are ours.
Result<void> remove_ours(Sys& sys, std::span<const std::string> directories, Leftovers leftovers) {
  constexpr int kTries = 100, kPauseMs = 10;  // one second
  for (int attempt = 0;; ++attempt) {
    auto removed = remove_all(sys, directories);
    if (removed || removed.error().os_errno != EBUSY || attempt == kTries) {
      return removed;
    }
    if (leftovers == Leftovers::Kill) {
      kill_leftovers(sys, directories);
    }
    sys.sleep_ms(attempt == 0 ? 1 : kPauseMs);
  }
}

Result<void> remove_if_ours(Sys& sys, std::span<const std::string> directories,
                            const std::string& owner, Leftovers leftovers) {
  const HeldGroup first = TRY(hold_group(sys, directories.front(), owner));
  switch (first.ownership) {
    case Ownership::Ours:
      return remove_ours(sys, directories, leftovers);
    case Ownership::Nobodys:  // its maker died before it wrote that down, or it is a person's
      (void)sys.rmdir(AT_FDCWD, directories.front());  // stays when there is something in it
      return {};
    case Ownership::Anothers:
      return {};
  }
  return {};
}

}  // namespace

Result<void> remove_cgroup(Sys& sys, std::span<const std::string> directories,
                           const std::string& owner, Leftovers leftovers) {
  if (directories.empty()) {
    return {};
  }
  return with_context("control group", remove_if_ours(sys, directories, owner, leftovers));
}

}  // namespace runhl::shim
