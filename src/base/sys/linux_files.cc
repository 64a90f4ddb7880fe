// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>

#include "sys/linux_sys.h"

namespace runhl {

Sys& linux_sys() {
  static LinuxSys sys;
  return sys;
}

Result<UniqueFd> LinuxSys::open(int dir, const std::string& path, int flags, mode_t mode) {
  const int fd = retry_interrupted(
      [&] { return ::openat(dir, path.c_str(), flags | O_CLOEXEC | O_NOCTTY, mode); });
  return check_fd(fd, "open", path);
}

Result<UniqueFd> LinuxSys::open_resolved(int dir, const std::string& path, int flags,
                                         std::uint64_t resolve) {
  open_how how{};
  how.flags = static_cast<std::uint64_t>(static_cast<unsigned>(flags)) | O_CLOEXEC | O_NOCTTY;
  how.resolve = resolve;
  if ((flags & O_PATH) != 0) {
    how.flags &= ~std::uint64_t{O_NOCTTY};  // openat2 refuses what O_PATH cannot use
  }
  const long fd = retry_interrupted(
      [&] { return ::syscall(SYS_openat2, dir, path.c_str(), &how, sizeof(how)); });
  return check_fd(fd, "open", path);
}

Result<void> LinuxSys::mkdir(int dir, const std::string& path, mode_t mode) {
  return check_call(::mkdirat(dir, path.c_str(), mode), "mkdir", path);
}

Result<void> LinuxSys::rmdir(int dir, const std::string& path) {
  return check_call(::unlinkat(dir, path.c_str(), AT_REMOVEDIR), "rmdir", path);
}

Result<void> LinuxSys::unlink(int dir, const std::string& path) {
  return check_call(::unlinkat(dir, path.c_str(), 0), "unlink", path);
}

Result<void> LinuxSys::rename(int dir, const std::string& from, const std::string& to) {
  return check_call(::renameat(dir, from.c_str(), dir, to.c_str()), "rename", from);
}

Result<std::string> LinuxSys::read_file(int dir, const std::string& path, std::size_t max_bytes) {
  const UniqueFd file = TRY(open(dir, path, O_RDONLY, 0));
  std::string text;
  std::array<char, 4096> chunk{};
  for (;;) {
    const ssize_t got =
        retry_interrupted([&] { return ::read(file.get(), chunk.data(), chunk.size()); });
    TRY(check_call(got, "read", path));
    if (got == 0) {
      return text;
    }
    text.append(chunk.data(), static_cast<std::size_t>(got));
    if (text.size() > max_bytes) {
      return fail(ErrorCode::InvalidArgument,
                  "read " + path + ": more than " + std::to_string(max_bytes) + " bytes");
    }
  }
}

Result<void> LinuxSys::write_file(int dir, const std::string& path, std::string_view text) {
  const UniqueFd file = TRY(open(dir, path, O_WRONLY, 0));
  return write(file.get(), text, path);
}

Result<void> LinuxSys::write(int fd, std::string_view text, const std::string& what) {
  const ssize_t put = retry_interrupted([&] { return ::write(fd, text.data(), text.size()); });
  TRY(check_call(put, "write", what));
  if (static_cast<std::size_t>(put) != text.size()) {
    return fail(ErrorCode::Io, "write " + what + ": only a part was taken");
  }
  return {};
}

Result<FileStat> LinuxSys::stat(int fd, const std::string& what) {
  struct stat status{};
  TRY(check_call(::fstat(fd, &status), "stat", what));
  return FileStat{.mode = status.st_mode,
                  .uid = status.st_uid,
                  .gid = status.st_gid,
                  .device = status.st_dev,
                  .inode = status.st_ino};
}

Result<std::uint64_t> LinuxSys::file_system(int fd, const std::string& what) {
  struct statfs status{};
  TRY(check_call(retry_interrupted([&] { return ::fstatfs(fd, &status); }), "statfs", what));
  return static_cast<std::uint64_t>(status.f_type);
}

Result<bool> LinuxSys::try_lock_byte(int fd, off_t offset) {
  struct flock lock{};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  lock.l_start = offset;
  lock.l_len = 1;
  if (::fcntl(fd, F_OFD_SETLK, &lock) == 0) {
    return true;
  }
  if (errno == EAGAIN || errno == EACCES) {
    return false;
  }
  return fail_errno("lock a byte");
}

Result<bool> LinuxSys::try_lock_file(int fd, const std::string& what) {
  if (retry_interrupted([&] { return ::flock(fd, LOCK_EX | LOCK_NB); }) == 0) {
    return true;
  }
  if (errno == EWOULDBLOCK) {
    return false;
  }
  return fail_errno("lock " + what);
}

Result<std::string> LinuxSys::attribute(const std::string& path, const std::string& name) {
  std::array<char, 1024> value{};
  const ssize_t size = ::getxattr(path.c_str(), name.c_str(), value.data(), value.size());
  TRY(check_call(size, "getxattr " + name, path));
  return std::string(value.data(), static_cast<std::size_t>(size));
}

Result<void> LinuxSys::set_attribute(int fd, const std::string& name, std::string_view value,
                                     const std::string& what) {
  return check_call(::fsetxattr(fd, name.c_str(), value.data(), value.size(), 0),
                    "setxattr " + name, what);
}

Result<UniqueFd> LinuxSys::event_fd() {
  return check_fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd", "");
}

Result<UniqueFd> LinuxSys::watch_file(int dir, const std::string& path) {
  UniqueFd watch = TRY(check_fd(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK), "inotify_init", path));
  // inotify knows no directory descriptors; the magic link is this process's own.
  const UniqueFd file = TRY(open(dir, path, O_PATH, 0));
  const std::string name = "/proc/self/fd/" + std::to_string(file.get());
  TRY(check_call(::inotify_add_watch(watch.get(), name.c_str(), IN_MODIFY), "inotify_add_watch",
                 path));
  return watch;
}

}  // namespace runhl
