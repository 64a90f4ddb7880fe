// SPDX-License-Identifier: Apache-2.0
#include "boot/container_files.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>

#include "runhl/base/environment.h"
#include "runhl/base/file_io.h"
#include "runhl/base/unique_fd.h"
#include "runhl/vmm/upstream/guest_plan.h"

namespace runhl::boot {
namespace {

namespace hyperlight = vmm::hyperlight;

constexpr std::uint32_t kDirectory = S_IFDIR | 0755;
constexpr std::string_view kUsualPath =
    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

std::string_view path_of(const std::vector<std::string>& env) {
  std::string_view path = kUsualPath;
  for (const std::string& entry : env) {
    if (variable_name(entry) == "PATH") {
      path = std::string_view(entry).substr(std::min(entry.size(), std::size_t{5}));
    }
  }
  return path;
}

bool is_mounted(std::string_view path, std::span<const hyperlight::HostMount> mounts) {
  return std::any_of(mounts.begin(), mounts.end(), [path](const hyperlight::HostMount& mount) {
    return path.starts_with(mount.target + "/");
  });
}

/// In the words that engines look for.
tl::unexpected<Error> no_program(const std::string& name, const Error& why) {
  const std::string exec = "exec: \"" + name + "\": ";
  if (why.code == ErrorCode::NotFound) {
    return fail(ErrorCode::NotFound, exec + "stat " + name + ": no such file or directory");
  }
  return fail(why.code, exec + "permission denied: " + why.message);
}

std::string below(const std::string& directory, std::string_view name) {
  std::string path = directory.ends_with('/') ? directory : directory + "/";
  return path.append(name);
}

}  // namespace

Result<void> ContainerFiles::copy(const std::string& path, const std::string& target) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  struct stat info{};
  if (!file || ::fstat(file.get(), &info) != 0) {
    return fail_errno(target);
  }
  if (!S_ISREG(info.st_mode)) {
    return fail(ErrorCode::InvalidArgument, target + ": not a regular file of the host");
  }
  const std::uint64_t room = vmm::upstream::kMaxCopied - copied_;
  std::string contents = TRY(read_up_to(file.get(), room + 1, target));
  if (contents.size() > room) {
    return fail(ErrorCode::InvalidArgument,
                target + ": files of the host are copied for a guest, and these are more than " +
                    std::to_string(vmm::upstream::kMaxCopied) + " bytes; mount their directory");
  }
  copied_ += contents.size();
  make_directory(target.substr(0, target.rfind('/')));
  added_.push_back({target.substr(1), S_IFREG | (info.st_mode & 0777U), std::move(contents)});
  return {};
}

void ContainerFiles::make_directory(const std::string& target) {
  for (std::size_t end = 1; end < target.size();) {
    end = std::min(target.find('/', end + 1), target.size());
    const std::string name = target.substr(1, end - 1);
    if (!name.empty() && !rootfs_.contains(name) && names_.insert(name).second) {
      added_.push_back({name, kDirectory, {}});
    }
  }
}

Result<std::string> ContainerFiles::find_program(
    const std::string& name, const std::vector<std::string>& env, const std::string& directory,
    std::span<const hyperlight::HostMount> mounts) const {
  const auto check = [&](const std::string& path) {
    return is_mounted(path, mounts) ? Result<void>() : rootfs_.check_program(path);
  };
  if (name.find('/') != std::string::npos) {
    std::string path = name.starts_with('/') ? name : below(directory, name);
    const Result<void> found = check(path);
    return found ? Result<std::string>(std::move(path)) : no_program(name, found.error());
  }
  Result<std::string> best =
      fail(ErrorCode::NotFound, "exec: \"" + name + "\": executable file not found in $PATH");
  for (std::string_view rest = path_of(env); !rest.empty();) {
    const std::size_t end = std::min(rest.find(':'), rest.size());
    const std::string_view place = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (!place.starts_with('/')) {
      continue;  // as Go's look-up, which engines have their words from
    }
    std::string path = below(std::string(place), name);
    const Result<void> found = check(path);
    if (found) {
      return path;
    }
    if (found.error().code != ErrorCode::NotFound) {
      best = no_program(path, found.error());
    }
  }
  return best;
}

}  // namespace runhl::boot
