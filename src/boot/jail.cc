// SPDX-License-Identifier: Apache-2.0
#include "boot/jail.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "boot/boot_filter.h"
#include "runhl/base/number.h"
#include "runhl/base/unique_fd.h"
#include "runhl/shim/capabilities.h"
#include "runhl/shim/jail.h"
#include "runhl/shim/monitor_filter.h"
#include "runhl/shim/rootless.h"

namespace runhl::boot {
namespace {

constexpr std::uint64_t kMostDescriptors = 1280;

/// Nothing of the host can be named in it; descriptors that were opened before still work.
Result<void> empty_view(Sys& sys, std::uint64_t kept) {
  if (kept != 0 && TRY(shim::privilege_of_caller(sys)) != shim::Privilege::Full) {
    return fail(ErrorCode::Permission,
                "in a user namespace the capabilities that are needed would count for nothing");
  }
  const UniqueFd proc = TRY(sys.open(AT_FDCWD, "/proc", O_PATH | O_DIRECTORY));
  const uid_t uid = sys.effective_uid();
  const gid_t gid = sys.effective_gid();
  TRY(shim::enter_user_namespace_if_needed(sys, proc.get(), {.uid = uid, .gid = gid}));
  TRY(shim::enter_mount_namespace(sys));
  TRY(shim::build_jail(sys, {.trees = {}, .uid = uid, .gid = gid}, {}));
  return {};
}

Result<void> confine_files(Sys& sys, const std::vector<GrantedDirectory>& directories) {
  std::vector<vmm::GrantedTree> trees;
  for (const GrantedDirectory& directory : directories) {
    vmm::GrantedTree tree;
    tree.name = std::to_string(trees.size());
    tree.root.reset(::fcntl(directory.fd, F_DUPFD_CLOEXEC, 0));
    if (!tree.root) {
      return fail_errno("a granted directory");
    }
    tree.read_only = directory.read_only;
    trees.push_back(std::move(tree));
  }
  return shim::confine_files(sys, trees);
}

/// What is granted takes these of a caller that has them; an ordinary user has none.
std::uint64_t kept_capabilities(const JailSpec& spec) {
  constexpr std::uint64_t kReads = 1ULL << CAP_DAC_READ_SEARCH;
  constexpr std::uint64_t kWrites = 1ULL << CAP_DAC_OVERRIDE | 1ULL << CAP_FOWNER;
  const auto& directories = spec.directories;
  const bool writes = std::any_of(directories.begin(), directories.end(),
                                  [](const GrantedDirectory& d) { return !d.read_only; });
  const std::uint64_t network = spec.low_ports ? 1ULL << CAP_NET_BIND_SERVICE : 0;
  const std::uint64_t reads = directories.empty() ? 0 : kReads;
  if (spec.ceiling) {  // engines give DAC_OVERRIDE and not what would do for reading
    return (network | reads | (directories.empty() ? 0 : kWrites)) & *spec.ceiling;
  }
  return network | (writes ? kWrites : reads);
}

Result<void> lower_limits(Sys& sys) {
  rlimit descriptors{};
  if (::getrlimit(RLIMIT_NOFILE, &descriptors) != 0) {
    return fail_errno("RLIMIT_NOFILE");
  }
  const std::uint64_t most = std::min<std::uint64_t>(descriptors.rlim_max, kMostDescriptors);
  TRY(sys.set_rlimit(RLIMIT_NOFILE, most, most));
  return sys.set_rlimit(RLIMIT_CORE, 0, 0);
}

}  // namespace

std::vector<int> descriptors_of_caller() {
  std::vector<int> found;
  DIR* const directory = ::opendir("/proc/self/fd");
  if (directory == nullptr) {
    return found;
  }
  while (const dirent* const entry = ::readdir(directory)) {  // NOLINT(concurrency-mt-unsafe): own
    const auto fd = whole_number<int>(entry->d_name);
    if (fd && *fd > STDERR_FILENO && *fd != ::dirfd(directory)) {
      found.push_back(*fd);
    }
  }
  (void)::closedir(directory);
  return found;
}

Result<void> enter_jail(Sys& sys, const JailSpec& spec) {
  for (const int fd : spec.foreign) {
    (void)::close(fd);
  }
  vmm::Ceiling ceiling;
  ceiling.capabilities = kept_capabilities(spec) & TRY(sys.capabilities()).permitted;
  const Result<void> view = empty_view(sys, ceiling.capabilities);
  if (!view && !shim::missing_file_rules(sys).empty()) {
    return fail(ErrorCode::Permission,
                "this host lets nobody keep a guest from its files: neither Landlock (Linux 5.19) "
                "nor a mount namespace can be had; " +
                    view.error().message);
  }
  TRY(lower_limits(sys));
  TRY(shim::drop_capabilities(sys, ceiling));  // sets no_new_privs, too
  TRY(confine_files(sys, spec.directories));
  TRY(sys.prctl(PR_SET_DUMPABLE, 0, "PR_SET_DUMPABLE"));
  return sys.set_seccomp_filter(
      boot_filter({.files = !spec.directories.empty(), .network = spec.network}, ::getpid()));
}

}  // namespace runhl::boot
