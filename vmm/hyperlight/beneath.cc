// SPDX-License-Identifier: Apache-2.0
#include "hyperlight/beneath.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <string_view>

#include "fs/resolve.h"

namespace runhl::vmm::hyperlight {
namespace {

unsigned char type_of(int directory, const dirent& entry) {
  struct stat info{};
  if (entry.d_type != DT_UNKNOWN ||
      ::fstatat(directory, entry.d_name, &info, AT_SYMLINK_NOFOLLOW) != 0) {
    return entry.d_type;
  }
  return static_cast<unsigned char>(IFTODT(info.st_mode));
}

struct CloseDirectory {
  void operator()(DIR* directory) const { (void)::closedir(directory); }
};

}  // namespace

int open_beneath(int directory, const std::string& path, int flags, UniqueFd* fd) {
  if (path.find('\0') != std::string::npos) {
    return EINVAL;
  }
  open_how how{};
  const int never_wait = (flags & O_PATH) != 0 ? 0 : O_NOCTTY | O_NONBLOCK;
  how.flags = static_cast<unsigned>(flags | O_CLOEXEC | never_wait);
  how.mode = (flags & O_CREAT) != 0 ? 0644 : 0;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;
  const int opened = fs::open_again(directory, path, how);
  if (opened < 0) {
    return -opened;
  }
  fd->reset(opened);
  return 0;
}

int require_file(int fd) {
  struct stat info{};
  if (::fstat(fd, &info) != 0) {
    return errno;
  }
  if (S_ISDIR(info.st_mode)) {
    return EISDIR;
  }
  return S_ISREG(info.st_mode) ? 0 : EACCES;
}

int list_directory(UniqueFd fd, std::vector<Listed>* entries) {
  const std::unique_ptr<DIR, CloseDirectory> directory(::fdopendir(fd.get()));
  if (!directory) {
    return errno;
  }
  (void)fd.release();
  for (;;) {
    errno = 0;
    const dirent* const entry = ::readdir(directory.get());  // NOLINT(concurrency-mt-unsafe): own
    if (entry == nullptr) {
      break;
    }
    const std::string_view name(entry->d_name);
    if (name != "." && name != "..") {
      entries->push_back({std::string(name), type_of(::dirfd(directory.get()), *entry)});
    }
  }
  const int error = errno;
  std::sort(entries->begin(), entries->end(),
            [](const Listed& a, const Listed& b) { return a.name < b.name; });
  return error;
}

}  // namespace runhl::vmm::hyperlight
