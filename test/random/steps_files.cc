// SPDX-License-Identifier: Apache-2.0
// Files by the richer calls: *at with all flags, extended attributes, holes, copies inside the
// kernel, unnamed files, seals.
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/memfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <set>
#include <vector>

#include "steps.h"

namespace random_calls {
namespace {

int directory_of(Random& random) {
  return random.one_in(2) ? AT_FDCWD : fd_of(random.below(kFdSlots));
}

/// -1 (no offset) or one in a file's first pages.
long offset_of(Random& random) {
  return random.one_in(2) ? -1 : static_cast<long>(random.below(10'000));
}

/// Modes and owners of pipes, sockets and the like are Linux's own and nobody's business.
bool has_name(int fd) {
  std::array<char, 8> target{};
  const std::string link = "/proc/self/fd/" + std::to_string(fd);
  return ::readlink(link.c_str(), target.data(), target.size()) < 1 ||
         (target[0] == '/' && ::fcntl(fd, F_GET_SEALS) < 0);
}

void say_list(char* names, ssize_t size) {
  std::set<std::string> sorted;
  for (ssize_t at = 0; at < size; at += static_cast<ssize_t>(std::string(names + at).size()) + 1) {
    sorted.insert(names + at);
  }
  for (const std::string& name : sorted) {
    say(" %s", name.c_str());
  }
}

}  // namespace

void step_openat(Random& random) {
  static const std::array<int, 5> accesses{O_RDONLY, O_WRONLY, O_RDWR, O_RDWR, 3};
  static const std::array<int, 10> extras{O_CREAT,    O_EXCL, O_TRUNC,   O_APPEND,  O_DIRECTORY,
                                          O_NOFOLLOW, O_PATH, O_CLOEXEC, O_NOATIME, O_DSYNC};
  int flags = random.of(accesses) | O_NONBLOCK;
  for (std::uint32_t left = random.below(4); left > 0; --left) {
    flags |= random.of(extras);
  }
  if (random.one_in(5)) {
    flags = (flags & ~O_CREAT) | O_TMPFILE;
  }
  const int at = directory_of(random);
  const std::string path = path_of(random);
  const mode_t mode = random.below(01000);
  const std::uint32_t slot = random.below(kFdSlots);
  say("openat %d %s %x %o -> %u", at, path.c_str(), static_cast<unsigned>(flags), mode, slot);
  result(into_slot(::syscall(SYS_openat, at, path.c_str(), flags, mode), slot));
}

void step_at(Random& random) {
  static const std::array<int, 6> flag_sets{
      0, 0, AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH, AT_SYMLINK_FOLLOW, AT_REMOVEDIR};
  const int from_at = directory_of(random), to_at = directory_of(random);
  const std::string from = path_of(random), to = path_of(random);
  const int flags = random.of(flag_sets);
  const mode_t mode = random.below(010000);
  switch (random.below(12)) {
    case 0:
      say("mkdirat %d %s %o", from_at, from.c_str(), mode);
      return result(::mkdirat(from_at, from.c_str(), mode));
    case 1:
      say("unlinkat %d %s %x", from_at, from.c_str(), static_cast<unsigned>(flags));
      return result(::unlinkat(from_at, from.c_str(), flags));
    case 2: {
      const unsigned rename_flags = random.below(4);
      say("renameat2 %d %s %d %s %u", from_at, from.c_str(), to_at, to.c_str(), rename_flags);
      return result(::renameat2(from_at, from.c_str(), to_at, to.c_str(), rename_flags));
    }
    case 3:
      say("linkat %d %s %d %s %x", from_at, from.c_str(), to_at, to.c_str(),
          static_cast<unsigned>(flags));
      return result(::linkat(from_at, from.c_str(), to_at, to.c_str(), flags));
    case 4:
      say("symlinkat %s %d %s", from.c_str(), to_at, to.c_str());
      return result(::symlinkat(from.c_str(), to_at, to.c_str()));
    case 5: {
      std::array<char, 64> target{};
      say("readlinkat %d %s", from_at, from.c_str());
      const ssize_t n = ::readlinkat(from_at, from.c_str(), target.data(), random.below(60));
      result(n);
      return n > 0 && from[0] != '/' ? say(" %.*s", static_cast<int>(n), target.data()) : void();
    }
    case 6:
      say("faccessat2 %d %s %u %x", from_at, from.c_str(), mode & 7, static_cast<unsigned>(flags));
      return result(::syscall(SYS_faccessat2, from_at, from.c_str(), mode & 7, flags));
    case 7:
      say("fchmodat2 %d %s %o %x", from_at, from.c_str(), mode, static_cast<unsigned>(flags));
      return result(::syscall(452, from_at, from.c_str(), mode, flags));
    case 8: {
      static const std::array<uid_t, 4> ids{0, 1000, 1, static_cast<uid_t>(-1)};
      const uid_t uid = random.of(ids), gid = random.of(ids);
      say("fchownat %d %s %d %d %x", from_at, from.c_str(), static_cast<int>(uid),
          static_cast<int>(gid), static_cast<unsigned>(flags));
      return result(::fchownat(from_at, from.c_str(), uid, gid, flags));
    }
    case 9: {
      static const std::array<long, 5> nanos{0, 999'999'999, UTIME_OMIT, 1'000'000'000, 7};
      const std::array<timespec, 2> times{
          {{static_cast<time_t>(random.below(1'000'000)), random.of(nanos)},
           {static_cast<time_t>(random.below(1'000'000)), random.of(nanos)}}};
      say("utimensat %d %s %ld %ld %x", from_at, from.c_str(), times[0].tv_nsec, times[1].tv_nsec,
          static_cast<unsigned>(flags));
      return result(::utimensat(from_at, from.c_str(), times.data(), flags));
    }
    case 10: {
      static const std::array<mode_t, 5> types{S_IFREG, S_IFIFO, S_IFSOCK, S_IFDIR, 0};
      const mode_t type = random.of(types);
      say("mknodat %d %s %o", from_at, from.c_str(), type | (mode & 0777));
      return result(::mknodat(from_at, from.c_str(), type | (mode & 0777), 0));
    }
    default: {
      static const std::array<unsigned, 3> masks{STATX_BASIC_STATS, STATX_TYPE | STATX_SIZE, 0};
      const unsigned mask = random.of(masks);
      struct statx stat{};
      say("statx %d %s %x %x", from_at, from.c_str(), mask, static_cast<unsigned>(flags));
      const int answer = ::statx(from_at, from.c_str(), flags, mask, &stat);
      result(answer);
      if (answer == 0) {
        say(" mode=%o uid=%u gid=%u", stat.stx_mode, stat.stx_uid, stat.stx_gid);
        if (S_ISREG(stat.stx_mode)) {
          say(" size=%llu links=%u", stat.stx_size, stat.stx_nlink);
        }
      }
    }
  }
}

void step_inode(Random& random) {
  const std::uint32_t slot = random.below(kFdSlots);
  const int fd = fd_of(slot);
  const mode_t mode = random.below(010000);
  switch (random.below(9)) {
    case 0:
      say("fchmod %u %o", slot, mode);
      if (!has_name(fd)) {
        return say(" nameless");
      }
      return result(::fchmod(fd, mode));
    case 1: {
      const uid_t uid = random.one_in(2) ? 1000 : 0;
      say("fchown %u %u", slot, uid);
      if (!has_name(fd)) {
        return say(" nameless");
      }
      return result(::fchown(fd, uid, uid));
    }
    case 2:
      say("fchdir %u", slot);
      // Away and back: what the next steps name stays the same.
      if (const int here = ::open(".", O_PATH | O_DIRECTORY); here >= 0) {
        result(::fchdir(fd));
        struct stat stat{};
        say(" a:%d", ::stat("a", &stat));
        (void)!::fchdir(here);
        ::close(here);
      }
      return;
    case 3:
      say("fsync %u", slot);
      return result(random.one_in(2) ? ::fsync(fd) : ::fdatasync(fd));
    case 4:
      say("sync_file_range %u", slot);
      return result(::sync_file_range(fd, offset_of(random), random.below(9000), random.below(9)));
    case 5: {
      const int advice = static_cast<int>(random.below(7));
      say("fadvise %u %d", slot, advice);
      const int error = ::posix_fadvise(fd, 0, random.below(9000), advice);
      errno = error;
      return result(error == 0 ? 0 : -1);
    }
    case 6:
      say("readahead %u", slot);
      return result(::readahead(fd, 0, 4096));
    case 7: {
      static const std::array<int, 5> kinds{LOCK_SH, LOCK_EX, LOCK_UN, LOCK_SH | LOCK_EX, 77};
      const int kind = random.of(kinds);
      say("flock %u %d", slot, kind);
      return result(::flock(fd, kind | LOCK_NB));
    }
    default: {
      std::array<char, 300> name{};
      const std::string path = path_of(random);
      say("getcwd from %s", path.c_str());
      const int here = ::open(".", O_PATH | O_DIRECTORY);
      const int moved = ::chdir(path.c_str());
      result(moved);
      if (moved == 0 && ::getcwd(name.data(), name.size()) != nullptr && path[0] != '/') {
        // Our own directory's name is not what is compared.
        say(" %s", std::string(name.data()).substr(std::string(name.data()).rfind('/')).c_str());
      }
      (void)!::fchdir(here);
      ::close(here);
    }
  }
}

void step_xattr(Random& random) {
  static const std::array<const char*, 7> names{"user.a",    "user.b",     "user.a", "user.",
                                                "trusted.x", "security.x", "bad"};
  const char* const name = random.of(names);
  const std::string path = path_of(random);
  const std::uint32_t slot = random.below(kFdSlots);
  const std::uint32_t how = random.below(3);  // by path, by link, by descriptor
  const std::size_t size = random.one_in(4) ? 0 : random.below(120);
  std::array<char, 256> value;
  value.fill(static_cast<char>('a' + random.below(26)));
  const std::string where = how == 2 ? std::to_string(slot) : path;
  switch (random.below(5)) {
    case 0:
    case 1: {
      static const std::array<int, 5> flag_sets{0, 0, XATTR_CREATE, XATTR_REPLACE, 4};
      const int flags = random.of(flag_sets);
      say("setxattr %s %s %zu %d", where.c_str(), name, size, flags);
      return result(how == 0   ? ::setxattr(path.c_str(), name, value.data(), size, flags)
                    : how == 1 ? ::lsetxattr(path.c_str(), name, value.data(), size, flags)
                               : ::fsetxattr(fd_of(slot), name, value.data(), size, flags));
    }
    case 2: {
      say("getxattr %s %s %zu", where.c_str(), name, size);
      const ssize_t n = how == 0   ? ::getxattr(path.c_str(), name, value.data(), size)
                        : how == 1 ? ::lgetxattr(path.c_str(), name, value.data(), size)
                                   : ::fgetxattr(fd_of(slot), name, value.data(), size);
      result(n);
      return say(" #%lx", hash(value.data(), value.size()));
    }
    case 3: {
      const std::size_t room = random.one_in(3) ? random.below(10) : value.size();
      say("listxattr %s %zu", where.c_str(), room);
      const ssize_t n = how == 0   ? ::listxattr(path.c_str(), value.data(), room)
                        : how == 1 ? ::llistxattr(path.c_str(), value.data(), room)
                                   : ::flistxattr(fd_of(slot), value.data(), room);
      result(n);
      return room != 0 ? say_list(value.data(), n) : void();
    }
    default:
      say("removexattr %s %s", where.c_str(), name);
      return result(how == 0   ? ::removexattr(path.c_str(), name)
                    : how == 1 ? ::lremovexattr(path.c_str(), name)
                               : ::fremovexattr(fd_of(slot), name));
  }
}

void step_range(Random& random) {
  const std::uint32_t slot = random.below(kFdSlots);
  const int fd = fd_of(slot);
  if (random.one_in(2)) {
    static const std::array<int, 6> modes{0,
                                          FALLOC_FL_KEEP_SIZE,
                                          FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                          FALLOC_FL_ZERO_RANGE,
                                          FALLOC_FL_PUNCH_HOLE,
                                          FALLOC_FL_COLLAPSE_RANGE};
    const int mode = random.of(modes);
    const long offset = static_cast<long>(random.below(20'000)) - 100;
    const long length = static_cast<long>(random.below(9'000)) - 100;
    say("fallocate %u %x %ld %ld", slot, static_cast<unsigned>(mode), offset, length);
    return result(::fallocate(fd, mode, offset, length));
  }
  static std::array<char, 5000> buffer;
  static const std::array<int, 6> flag_sets{0,         RWF_APPEND, RWF_DSYNC,
                                            RWF_HIPRI, RWF_NOWAIT, 0x4000};
  const int flags = random.of(flag_sets);
  const long offset = offset_of(random);
  const iovec vector{buffer.data(), random.below(5000)};
  if (random.one_in(2)) {
    buffer.fill(static_cast<char>('A' + random.below(26)));
    // Without waiting is what a file system makes of it.
    const int kept = flags == RWF_NOWAIT ? 0 : flags;
    say("pwritev2 %u %zu %ld %x", slot, vector.iov_len, offset, static_cast<unsigned>(kept));
    return result(::pwritev2(fd, &vector, 1, offset, kept));
  }
  const int kept = flags == RWF_NOWAIT ? RWF_APPEND : flags;
  say("preadv2 %u %zu %ld %x", slot, vector.iov_len, offset, static_cast<unsigned>(kept));
  const ssize_t n = ::preadv2(fd, &vector, 1, offset, kept);
  result(n);
  if (n > 0) {
    say(" #%lx", hash(buffer.data(), static_cast<std::size_t>(n)));
  }
}

void step_copy(Random& random) {
  const std::uint32_t from = random.below(kFdSlots), to = random.below(kFdSlots);
  off_t in_at = offset_of(random), out_at = offset_of(random);
  off_t* const in = in_at < 0 ? nullptr : &in_at;
  off_t* const out = out_at < 0 ? nullptr : &out_at;
  const std::size_t size = random.below(9000);
  switch (random.below(5)) {
    case 0:
      say("copy_file_range %u@%ld %u@%ld %zu", from, in_at, to, out_at, size);
      result(::copy_file_range(fd_of(from), in, fd_of(to), out, size, 0));
      break;
    case 1:
      say("sendfile %u@%ld %u %zu", from, in_at, to, size);
      if (::lseek(fd_of(from), 0, SEEK_CUR) < 0) {
        return say(" a stream");  // the guest moves it, Linux mostly refuses
      }
      result(::sendfile(fd_of(to), fd_of(from), in, size));
      break;
    case 2:
      say("splice %u@%ld %u@%ld %zu", from, in_at, to, out_at, size);
      result(::splice(fd_of(from), in, fd_of(to), out, size, SPLICE_F_NONBLOCK));
      break;
    case 3:
      say("tee %u %u %zu", from, to, size);
      return result(::tee(fd_of(from), fd_of(to), size, SPLICE_F_NONBLOCK));
    default: {
      // Never changed again: Linux's pipe shows what the memory holds when it is read.
      static std::array<std::array<char, 9000>, 26> alphabet;
      const std::uint32_t letter = random.below(26);
      alphabet[letter].fill(static_cast<char>('a' + letter));
      const iovec vector{alphabet[letter].data(), size};
      say("vmsplice %u %zu", to, size);
      return result(::vmsplice(fd_of(to), &vector, 1, SPLICE_F_NONBLOCK));
    }
  }
  say(" %ld %ld", static_cast<long>(in_at), static_cast<long>(out_at));
}

void step_memfd(Random& random) {
  const std::uint32_t slot = random.below(kFdSlots);
  if (random.one_in(2)) {
    static const std::array<unsigned, 4> flag_sets{0, MFD_ALLOW_SEALING,
                                                   MFD_ALLOW_SEALING | MFD_CLOEXEC, 0x8000};
    const unsigned flags = random.of(flag_sets);
    say("memfd_create %x -> %u", flags, slot);
    return result(into_slot(::memfd_create("random", flags), slot));
  }
  if (random.one_in(3)) {
    say("F_GET_SEALS %u", slot);
    return result(::fcntl(fd_of(slot), F_GET_SEALS));
  }
  // F_SEAL_WRITE looks for mappings, which the guest does not (docs/syscalls.md).
  static const std::array<int, 5> seals{F_SEAL_SEAL, F_SEAL_SHRINK, F_SEAL_GROW, F_SEAL_GROW,
                                        F_SEAL_FUTURE_WRITE};
  const int seal = random.of(seals);
  say("F_ADD_SEALS %u %x", slot, static_cast<unsigned>(seal));
  result(::fcntl(fd_of(slot), F_ADD_SEALS, seal));
}

void step_descriptor(Random& random) {
  const std::uint32_t slot = random.below(kFdSlots), to = random.below(kFdSlots);
  const int fd = fd_of(slot);
  switch (random.below(8)) {
    case 0:
      say("F_DUPFD %u -> %u", slot, to);
      return result(into_slot(
          ::fcntl(fd, random.one_in(2) ? F_DUPFD : F_DUPFD_CLOEXEC, 20 + random.below(10)), to));
    case 1:
      say("F_GETPIPE_SZ %u", slot);
      return result(::fcntl(fd, F_GETPIPE_SZ));
    case 2: {
      static const std::array<int, 5> sizes{4096, 8192, 5000, 0, 65'536};
      const int size = random.of(sizes);
      say("F_SETPIPE_SZ %u %d", slot, size);
      return result(::fcntl(fd, F_SETPIPE_SZ, size));
    }
    case 3: {
      int count = -7;
      say("FIONREAD %u", slot);
      struct stat stat{};
      if (::fstat(fd, &stat) == 0 && S_ISDIR(stat.st_mode)) {
        return say(" directory");
      }
      result(::ioctl(fd, FIONREAD, &count));
      return say(" %d", count);
    }
    case 4: {
      const unsigned long request = random.one_in(2) ? FIOCLEX : FIONCLEX;
      say("%s %u", request == FIOCLEX ? "FIOCLEX" : "FIONCLEX", slot);
      result(::ioctl(fd, request));
      return say(" %d", ::fcntl(fd, F_GETFD));
    }
    case 5: {
      struct flock lock{};
      lock.l_type = static_cast<short>(random.below(3));
      lock.l_whence = random.one_in(2) ? SEEK_SET : SEEK_END;
      lock.l_start = static_cast<off_t>(random.below(100)) - 10;
      lock.l_len = static_cast<off_t>(random.below(50)) - 5;
      const int command = random.one_in(3) ? F_OFD_GETLK : F_OFD_SETLK;
      say("ofd %d %u %d %d %ld+%ld", command, slot, lock.l_type, lock.l_whence,
          static_cast<long>(lock.l_start), static_cast<long>(lock.l_len));
      const int answer = ::fcntl(fd, command, &lock);
      result(answer);
      return answer == 0 && command == F_OFD_GETLK
                 ? say(" %d %ld+%ld %d", lock.l_type, static_cast<long>(lock.l_start),
                       static_cast<long>(lock.l_len),
                       lock.l_pid == 0    ? 0
                       : lock.l_pid == -1 ? -1
                                          : 1)
                 : void();
    }
    case 6: {
      const unsigned first = 10 + random.below(8), last = 10 + random.below(8);
      const int flags = random.one_in(2) ? 4 : 0;  // CLOSE_RANGE_CLOEXEC
      say("close_range %u %u %d", first, last, flags);
      return result(::syscall(SYS_close_range, first, last, flags));
    }
    default: {
      static const std::array<int, 2> whences{SEEK_DATA, SEEK_HOLE};
      const int whence = random.of(whences);
      const off_t offset = static_cast<off_t>(random.below(12'000)) - 100;
      struct stat stat{};
      say("lseek %u %ld %d", slot, static_cast<long>(offset), whence);
      if (::fstat(fd, &stat) == 0 && S_ISDIR(stat.st_mode)) {
        return say(" directory");
      }
      return result(::lseek(fd, offset, whence));
    }
  }
}

void step_inotify(Random& random) {
  const std::uint32_t slot = random.below(kFdSlots);
  switch (random.below(4)) {
    case 0:
      say("inotify_init -> %u", slot);
      return result(into_slot(::inotify_init1(IN_NONBLOCK), slot));
    case 1: {
      static const std::array<std::uint32_t, 6> masks{IN_ALL_EVENTS,
                                                      IN_MODIFY | IN_CREATE | IN_DELETE,
                                                      IN_MOVE | IN_DELETE_SELF,
                                                      IN_ALL_EVENTS | IN_ONLYDIR,
                                                      IN_ATTRIB | IN_ONESHOT,
                                                      0};
      const std::string path = path_of(random);
      const std::uint32_t mask = random.of(masks);
      say("inotify_add_watch %u %s %x", slot, path.c_str(), mask);
      return result(::inotify_add_watch(fd_of(slot), path.c_str(), mask));
    }
    case 2: {
      const int watch = static_cast<int>(random.below(4));
      say("inotify_rm_watch %u %d", slot, watch);
      return result(::inotify_rm_watch(fd_of(slot), watch));
    }
    default: {
      // Only of an inotify: what others hold is theirs.
      alignas(inotify_event) static std::array<char, 8192> events;
      std::array<char, 64> target{};
      const std::string link = "/proc/self/fd/" + std::to_string(fd_of(slot));
      (void)!::readlink(link.c_str(), target.data(), target.size() - 1);
      say("inotify read %u", slot);
      if (std::string(target.data()) != "anon_inode:inotify") {
        return say(" none");
      }
      const ssize_t n = ::read(fd_of(slot), events.data(), events.size());
      if (n < 0) {
        return result(n);
      }
      for (ssize_t at = 0; at < n;) {
        const auto* const event = reinterpret_cast<const inotify_event*>(events.data() + at);
        say(" %d:%x%s:%s", event->wd, event->mask, event->cookie != 0 ? "c" : "",
            event->len != 0 ? event->name : "");
        at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
      }
    }
  }
}

}  // namespace random_calls
