// SPDX-License-Identifier: Apache-2.0
#include "directory_walk.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <string_view>
#include <vector>

#include "runhl/base/unique_fd.h"

namespace runhl::initrd {
namespace {

struct CloseDir {
  void operator()(DIR* dir) const { ::closedir(dir); }
};

/// The names in a directory, sorted by their bytes.
Result<std::vector<std::string>> names_in(int directory, const std::string& path) {
  const int own = ::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const std::unique_ptr<DIR, CloseDir> dir(own < 0 ? nullptr : ::fdopendir(own));
  if (dir == nullptr) {
    return fail_errno(path.empty() ? "." : path);
  }
  std::vector<std::string> names;
  for (;;) {
    errno = 0;
    const dirent* const entry = ::readdir(dir.get());  // NOLINT(concurrency-mt-unsafe): own DIR
    if (entry == nullptr) {
      break;
    }
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") {
      names.emplace_back(name);
    }
  }
  if (errno != 0) {
    return fail_errno(path.empty() ? "." : path);
  }
  std::sort(names.begin(), names.end());
  return names;
}

class Walk {
 public:
  explicit Walk(const Visitor& visitor) : visitor_(visitor) {}

  Result<void> root(int directory) {
    struct statx info{};
    if (::statx(directory, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &info) < 0) {
      return fail_errno("statx");
    }
    TRY(visitor_(
        {.path = path_, .parent = directory, .name = "", .info = info, .mount_point = false}));
    return below(directory);
  }

 private:
  Result<void> below(int directory) {
    for (const std::string& name : TRY(names_in(directory, path_))) {
      const std::size_t length = path_.size();
      path_ += path_.empty() ? "" : "/";
      path_ += name;
      TRY(one(directory, name));
      path_.resize(length);
    }
    return {};
  }

  Result<void> one(int parent, const std::string& name) {
    struct statx info{};
    if (::statx(parent, name.c_str(), AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_BASIC_STATS,
                &info) < 0) {
      return errno == ENOENT ? Result<void>{} : fail_errno(path_);
    }
    const bool mount_point = (info.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
    TRY(visitor_({.path = path_,
                  .parent = parent,
                  .name = name.c_str(),
                  .info = info,
                  .mount_point = mount_point}));
    if (!S_ISDIR(info.stx_mode) || mount_point) {
      return {};
    }
    const UniqueFd directory(
        ::openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!directory) {
      return fail_errno(path_);
    }
    return below(directory.get());
  }

  const Visitor& visitor_;
  std::string path_;
};

}  // namespace

Result<void> walk_directory(int root, const Visitor& visitor) {
  return Walk(visitor).root(root);
}

}  // namespace runhl::initrd
