// SPDX-License-Identifier: Apache-2.0
#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>
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
  ino_t archive = 0;
};

std::uint64_t disk_bytes(const struct stat& info) {
  return static_cast<std::uint64_t>(info.st_blocks) * 512;
}

/// Of somebody who was killed: nobody holds it any more. Whoever comes later makes another file, as
/// this one has no name then.
bool remove_left_lock(int cache, const std::string& key) {
  const std::string name = key + ".lock";
  const UniqueFd fd(::openat(cache, name.c_str(), O_RDWR | O_NOFOLLOW | O_CLOEXEC));
  return fd && ::flock(fd.get(), LOCK_EX | LOCK_NB) == 0 && ::unlinkat(cache, name.c_str(), 0) == 0;
}

/// A file on its way to its name, which takes no minute even without O_TMPFILE's help.
bool is_left_behind(std::string_view name, const struct stat& info) {
  constexpr std::time_t kLongest = 60;
  return name.starts_with(".runhl-") && info.st_ctim.tv_sec + kLongest < std::time(nullptr);
}

/// What lies in the directory of a cache.
struct Contents {
  std::vector<Cached> cached;                          // the one used least lately first
  std::set<std::string, std::less<>> orphans, locked;  // archives without a manifest; being made
  std::vector<std::string> left;                       // files that never got their name
  std::uint64_t bytes = 0;                             // of the cached ones
};

Result<Contents> read_contents(int cache, const std::string& path) {
  const int own = ::openat(cache, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const std::unique_ptr<DIR, CloseDir> dir(own < 0 ? nullptr : ::fdopendir(own));
  if (dir == nullptr) {
    return fail_errno("cache " + path);
  }
  Contents out;
  while (const dirent* const entry = ::readdir(dir.get())) {  // NOLINT(concurrency-mt-unsafe)
    const std::string_view name = entry->d_name;
    const std::string key(name.substr(0, name.find('.')));
    struct stat info{};
    if (::fstatat(cache, entry->d_name, &info, AT_SYMLINK_NOFOLLOW) < 0) {
      continue;
    }
    if (is_left_behind(name, info)) {
      out.left.emplace_back(name);
    }
    if (key.empty()) {
      continue;
    }
    if (name.ends_with(".manifest")) {
      out.cached.push_back({.key = key, .used = info.st_mtim, .bytes = disk_bytes(info)});
    } else if (name.ends_with(".cpio")) {
      out.orphans.insert(key);
    } else if (name.ends_with(".lock")) {
      out.locked.insert(key);
    }
  }
  for (Cached& one : out.cached) {
    struct stat info{};
    if (::fstatat(cache, (one.key + ".cpio").c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0) {
      one.bytes += disk_bytes(info);
      one.archive = info.st_ino;
    }
    out.bytes += one.bytes;
    out.orphans.erase(one.key);
  }
  std::sort(out.cached.begin(), out.cached.end(), [](const Cached& a, const Cached& b) {
    return std::pair(a.used.tv_sec, a.used.tv_nsec) < std::pair(b.used.tv_sec, b.used.tv_nsec);
  });
  return out;
}

}  // namespace

Result<Cache::Usage> Cache::usage() const {
  const Contents contents = TRY(read_contents(fd_.get(), directory_));
  return Usage{.archives = contents.cached.size(), .bytes = contents.bytes};
}

Result<std::uint64_t> Cache::prune(std::uint64_t keep_bytes, int spared) const {
  struct stat kept{};
  if (spared >= 0 && ::fstat(spared, &kept) < 0) {
    return fail_errno("cache " + directory_);
  }
  Contents contents = TRY(read_contents(fd_.get(), directory_));
  std::uint64_t freed = 0;
  for (const Cached& one : contents.cached) {
    if (contents.bytes - freed <= keep_bytes) {
      break;
    }
    if (spared >= 0 && one.archive == kept.st_ino) {
      continue;
    }
    // The manifest first: it vouches for the archive.
    (void)::unlinkat(fd_.get(), (one.key + ".manifest").c_str(), 0);
    (void)::unlinkat(fd_.get(), (one.key + ".cpio").c_str(), 0);
    freed += one.bytes;
  }
  std::erase_if(contents.locked,
                [&](const std::string& key) { return remove_left_lock(fd_.get(), key); });
  for (const std::string& key : contents.orphans) {  // whoever made it was killed between the two
    if (!contents.locked.contains(key)) {
      (void)::unlinkat(fd_.get(), (key + ".cpio").c_str(), 0);
    }
  }
  for (const std::string& name : contents.left) {
    (void)::unlinkat(fd_.get(), name.c_str(), 0);
  }
  return freed;
}

}  // namespace runhl::initrd
