// SPDX-License-Identifier: Apache-2.0
#include "monitor/working_directory.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>

#include "runhl/base/unique_fd.h"

namespace runhl::shim {
namespace {

UniqueFd open_inside(int root, const std::string& path) {
  open_how how{};
  how.flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  return UniqueFd(static_cast<int>(::syscall(SYS_openat2, root, path.c_str(), &how, sizeof(how))));
}

bool lies_in_a_mount(const oci::Config& config, const std::string& path) {
  return std::any_of(
      config.mounts.begin(), config.mounts.end(), [&](const oci::ConfigMount& mount) {
        return path == mount.destination || path.starts_with(mount.destination + "/");
      });
}

}  // namespace

void make_working_directory(const oci::Config& config) {
  const std::string& cwd = config.process.cwd;
  if (cwd.empty() || config.root_readonly || lies_in_a_mount(config, cwd)) {
    return;
  }
  const UniqueFd root{::open(config.root_path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)};
  if (!root || open_inside(root.get(), cwd) || errno != ENOENT) {
    return;
  }
  constexpr mode_t kMode = 0755;
  UniqueFd parent = open_inside(root.get(), "/");
  for (std::size_t begin = 1, end = 0; parent && begin < cwd.size(); begin = end + 1) {
    end = std::min(cwd.find('/', begin), cwd.size());
    const std::string name = cwd.substr(begin, end - begin);
    if (name.empty() || name == "." || name == "..") {
      return;  // nothing that an engine writes
    }
    UniqueFd next = open_inside(root.get(), cwd.substr(0, end));
    if (!next && errno == ENOENT && ::mkdirat(parent.get(), name.c_str(), kMode) == 0) {
      next = open_inside(root.get(), cwd.substr(0, end));
    }
    parent = std::move(next);
  }
}

}  // namespace runhl::shim
