// SPDX-License-Identifier: Apache-2.0
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <set>
#include <string_view>
#include <vector>

#include "runhl/initrd/cache.h"

namespace runhl::initrd {
namespace {

struct CloseDir {
  void operator()(DIR* dir) const { ::closedir(dir); }
};

struct Cached {
  std::string key;
  timespec used{};
  std::uint64_t bytes = 0;
};

std::uint64_t disk_bytes(const struct stat& info) {
  return static_cast<std::uint64_t>(info.st_blocks) * 512;
}

}  // namespace

Result<std::uint64_t> Cache::prune(std::uint64_t keep_bytes) const {
  const int own = ::openat(fd_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const std::unique_ptr<DIR, CloseDir> dir(own < 0 ? nullptr : ::fdopendir(own));
  if (dir == nullptr) {
    return fail_errno("cache " + directory_);
  }
  std::vector<Cached> cached;
  std::set<std::string, std::less<>> archives, locked;
  while (const dirent* const entry = ::readdir(dir.get())) {  // NOLINT(concurrency-mt-unsafe)
    const std::string_view name = entry->d_name;
    const std::string key(name.substr(0, name.find('.')));
    struct stat info{};
    if (::fstatat(fd_.get(), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) < 0 || key.empty()) {
      continue;
    }
    if (name.ends_with(".manifest")) {
      cached.push_back({.key = key, .used = info.st_mtim, .bytes = disk_bytes(info)});
    } else if (name.ends_with(".cpio")) {
      archives.insert(key);
    } else if (name.ends_with(".lock")) {
      locked.insert(key);
    }
  }
  std::uint64_t total = 0;
  for (Cached& one : cached) {
    struct stat info{};
    if (::fstatat(fd_.get(), (one.key + ".cpio").c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0) {
      one.bytes += disk_bytes(info);
    }
    total += one.bytes;
    archives.erase(one.key);
  }
  std::sort(cached.begin(), cached.end(), [](const Cached& a, const Cached& b) {
    return std::pair(a.used.tv_sec, a.used.tv_nsec) < std::pair(b.used.tv_sec, b.used.tv_nsec);
  });
  std::uint64_t freed = 0;
  for (const Cached& one : cached) {
    if (total - freed <= keep_bytes) {
      break;
    }
    // The manifest first: it vouches for the archive.
    (void)::unlinkat(fd_.get(), (one.key + ".manifest").c_str(), 0);
    (void)::unlinkat(fd_.get(), (one.key + ".cpio").c_str(), 0);
    freed += one.bytes;
  }
  for (const std::string& key : archives) {  // whoever made it was killed between the two
    if (!locked.contains(key)) {
      (void)::unlinkat(fd_.get(), (key + ".cpio").c_str(), 0);
    }
  }
  return freed;
}

}  // namespace runhl::initrd
