// SPDX-License-Identifier: Apache-2.0
// Descriptors, files, names, pages and signals, each by its plainest calls.
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <set>

#include "steps.h"

namespace random_calls {

void step_open(Random& random) {
  static const std::array<int, 12> flags{O_RDONLY,
                                         O_WRONLY,
                                         O_RDWR,
                                         O_RDWR | O_CREAT,
                                         O_RDWR | O_CREAT,
                                         O_RDWR | O_CREAT | O_TRUNC,
                                         O_WRONLY | O_CREAT | O_APPEND,
                                         O_RDWR | O_CREAT | O_EXCL,
                                         O_RDONLY | O_DIRECTORY,
                                         O_RDONLY | O_NOFOLLOW,
                                         O_PATH,
                                         O_RDWR | O_TRUNC};
  static const std::array<mode_t, 5> modes{0644, 0600, 0777, 0400, 0000};
  const std::string name = name_of(random.below(kNames));
  const int flag = random.of(flags);
  const mode_t mode = random.of(modes);
  const std::uint32_t slot = random.below(kFdSlots);
  say("open %s %x %o -> %u", name.c_str(), static_cast<unsigned>(flag), mode, slot);
  result(into_slot(::open(name.c_str(), flag, mode), slot));
}

void step_close(Random& random) {
  const std::uint32_t slot = random.below(kFdSlots);
  say("close %u", slot);
  result(::close(fd_of(slot)));
}

void step_read(Random& random) {
  static const std::array<std::size_t, 6> sizes{0, 1, 7, 100, 4096, 9000};
  static std::array<char, 9000> buffer;
  const std::uint32_t slot = random.below(kFdSlots);
  const std::size_t size = random.of(sizes);
  const bool at = random.below(2) == 0;
  const off_t offset = random.below(10'000);
  say("%s %u %zu", at ? "pread" : "read", slot, size);
  const ssize_t n = at ? ::pread(fd_of(slot), buffer.data(), size, offset)
                       : ::read(fd_of(slot), buffer.data(), size);
  result(n);
  if (n > 0) {
    say(" #%lx", hash(buffer.data(), static_cast<std::size_t>(n)));
  }
}

void step_write(Random& random) {
  static const std::array<std::size_t, 6> sizes{0, 1, 7, 100, 4096, 9000};
  static std::array<char, 9000> buffer;
  const std::uint32_t slot = random.below(kFdSlots);
  const std::size_t size = random.of(sizes);
  buffer.fill(static_cast<char>('a' + random.below(26)));
  const bool at = random.below(2) == 0;
  const off_t offset = random.below(10'000);
  say("%s %u %zu", at ? "pwrite" : "write", slot, size);
  result(at ? ::pwrite(fd_of(slot), buffer.data(), size, offset)
            : ::write(fd_of(slot), buffer.data(), size));
}

void step_vector(Random& random) {
  static std::array<char, 64> first, second;
  const std::uint32_t slot = random.below(kFdSlots);
  std::array<iovec, 3> vectors{{{first.data(), random.below(64)},
                                {random.below(4) == 0 ? nullptr : second.data(), random.below(64)},
                                {first.data(), random.below(8)}}};
  const bool write = random.below(2) == 0;
  first.fill('v');
  second.fill('w');
  say("%s %u %zu %zu %zu", write ? "writev" : "readv", slot, vectors[0].iov_len, vectors[1].iov_len,
      vectors[2].iov_len);
  const ssize_t n =
      write ? ::writev(fd_of(slot), vectors.data(), 3) : ::readv(fd_of(slot), vectors.data(), 3);
  result(n);
  say(" #%lx", hash(second.data(), second.size(), hash(first.data(), first.size())));
}

void step_seek(Random& random) {
  static const std::array<int, 6> whences{SEEK_SET, SEEK_CUR, SEEK_END, SEEK_SET, SEEK_CUR, 77};
  const std::uint32_t slot = random.below(kFdSlots);
  const off_t offset = static_cast<off_t>(random.below(12'000)) - 2000;
  const int whence = random.of(whences);
  say("lseek %u %ld %d", slot, static_cast<long>(offset), whence);
  struct stat stat{};
  // A directory's positions are its file system's own.
  if (::fstat(fd_of(slot), &stat) == 0 && S_ISDIR(stat.st_mode)) {
    say(" directory");
    return;
  }
  result(::lseek(fd_of(slot), offset, whence));
}

void step_truncate(Random& random) {
  const off_t size = random.below(3) == 0 ? -1 : static_cast<off_t>(random.below(20'000));
  if (random.below(2) == 0) {
    const std::uint32_t slot = random.below(kFdSlots);
    say("ftruncate %u %ld", slot, static_cast<long>(size));
    result(::ftruncate(fd_of(slot), size));
    return;
  }
  const std::string name = name_of(random.below(kNames));
  say("truncate %s %ld", name.c_str(), static_cast<long>(size));
  result(::truncate(name.c_str(), size));
}

void step_dup(Random& random) {
  const std::uint32_t from = random.below(kFdSlots), to = random.below(kFdSlots);
  const int kind = static_cast<int>(random.below(3));
  say("dup%d %u %u", kind, from, to);
  if (kind == 0) {
    result(into_slot(::dup(fd_of(from)), to));
  } else if (kind == 1) {
    result(::dup2(fd_of(from), fd_of(to)));
  } else {
    result(::dup3(fd_of(from), fd_of(to), random.below(2) == 0 ? O_CLOEXEC : 0));
  }
}

void step_fcntl(Random& random) {
  static const std::array<int, 4> commands{F_GETFL, F_GETFD, F_SETFD, F_SETFL};
  const std::uint32_t slot = random.below(kFdSlots);
  const int command = random.of(commands);
  // Nothing may block.
  const int argument = command == F_SETFL ? (random.below(2) == 0 ? O_APPEND : 0) | O_NONBLOCK
                                          : static_cast<int>(random.below(2));
  say("fcntl %u %d %d", slot, command, argument);
  result(::fcntl(fd_of(slot), command, argument));
}

void step_lock(Random& random) {
  static const std::array<short, 3> kinds{F_RDLCK, F_WRLCK, F_UNLCK};
  const std::uint32_t slot = random.below(kFdSlots);
  struct flock lock{};
  lock.l_type = random.of(kinds);
  lock.l_whence = SEEK_SET;
  lock.l_start = random.below(100);
  lock.l_len = random.below(50);
  const bool ask = random.below(3) == 0;
  say("%s %u %d %ld+%ld", ask ? "getlk" : "setlk", slot, lock.l_type,
      static_cast<long>(lock.l_start), static_cast<long>(lock.l_len));
  const int answer = ::fcntl(fd_of(slot), ask ? F_GETLK : F_SETLK, &lock);
  result(answer);
  if (ask && answer == 0) {
    say(" %d %ld+%ld", lock.l_type, static_cast<long>(lock.l_start), static_cast<long>(lock.l_len));
  }
}

void step_stat(Random& random) {
  struct stat stat{};
  long answer = 0;
  if (random.below(3) == 0) {
    const std::uint32_t slot = random.below(kFdSlots);
    say("fstat %u", slot);
    answer = ::fstat(fd_of(slot), &stat);
  } else {
    const std::string name = name_of(random.below(kNames));
    const bool follow = random.below(2) == 0;
    say("%s %s", follow ? "stat" : "lstat", name.c_str());
    answer = follow ? ::stat(name.c_str(), &stat) : ::lstat(name.c_str(), &stat);
  }
  result(answer);
  if (answer == 0) {
    say_stat(stat);
  }
}

void step_name(Random& random) {
  const std::string from = name_of(random.below(kNames)), to = name_of(random.below(kNames));
  static const std::array<mode_t, 5> modes{0755, 0700, 0644, 0, 01777};
  const mode_t mode = random.of(modes);
  switch (random.below(12)) {
    case 0:
      say("mkdir %s %o", from.c_str(), mode);
      return result(::mkdir(from.c_str(), mode));
    case 1:
      say("mkdir d/e");
      return result(::mkdir(random.below(2) == 0 ? "d" : "d/e", 0755));
    case 2:
      say("rmdir %s", from.c_str());
      return result(::rmdir(from.c_str()));
    case 3:
      say("unlink %s", from.c_str());
      return result(::unlink(from.c_str()));
    case 4:
      say("rename %s %s", from.c_str(), to.c_str());
      return result(::rename(from.c_str(), to.c_str()));
    case 5: {
      const unsigned flags = random.below(2) == 0 ? RENAME_NOREPLACE : RENAME_EXCHANGE;
      say("renameat2 %s %s %u", from.c_str(), to.c_str(), flags);
      return result(::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), flags));
    }
    case 6:
      say("link %s %s", from.c_str(), to.c_str());
      return result(::link(from.c_str(), to.c_str()));
    case 7:
      say("symlink %s %s", from.c_str(), to.c_str());
      return result(::symlink(from.c_str(), to.c_str()));
    case 8:
      say("chmod %s %o", from.c_str(), mode);
      return result(::chmod(from.c_str(), mode));
    case 9: {
      static const std::array<int, 4> wanted{F_OK, R_OK, W_OK, X_OK};
      const int mask = random.of(wanted);
      say("access %s %d", from.c_str(), mask);
      return result(::access(from.c_str(), mask));
    }
    case 10: {
      std::array<char, 256> target{};
      say("readlink %s", from.c_str());
      const ssize_t n = ::readlink(from.c_str(), target.data(), 1 + random.below(255));
      result(n);
      return n > 0 ? say(" %.*s", static_cast<int>(n), target.data()) : void();
    }
    default: {
      const std::array<timespec, 2> times{
          {{static_cast<time_t>(random.below(1'000'000)), 5}, {7, 9}}};
      say("utimensat %s", from.c_str());
      const int answer = ::utimensat(AT_FDCWD, from.c_str(), times.data(), 0);
      result(answer);
      struct stat stat{};
      if (answer == 0 && ::stat(from.c_str(), &stat) == 0) {
        say(" %ld.%ld %ld.%ld", stat.st_atim.tv_sec, stat.st_atim.tv_nsec, stat.st_mtim.tv_sec,
            stat.st_mtim.tv_nsec);
      }
    }
  }
}

void step_list(Random& random) {
  static const std::array<const char*, 3> directories{".", "d", "d/e"};
  const char* const name = random.of(directories);
  say("list %s", name);
  DIR* const directory = ::opendir(name);
  if (directory == nullptr) {
    return result(-1);
  }
  std::set<std::string> names;
  while (const dirent* const entry = ::readdir(directory)) {
    names.insert(std::string(entry->d_name) + "/" + std::to_string(entry->d_type));
  }
  ::closedir(directory);
  for (const std::string& one : names) {
    say(" %s", one.c_str());
  }
}

void step_pipe(Random& random) {
  std::array<int, 2> ends{};
  const std::uint32_t in = random.below(kFdSlots), out = random.below(kFdSlots);
  const bool socket = random.below(3) == 0;
  say("%s %u %u", socket ? "socketpair" : "pipe", in, out);
  // Nothing here may block: one process does all of it.
  const int made =
      socket
          ? ::socketpair(AF_UNIX, (random.below(2) == 0 ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK,
                         0, ends.data())
          : ::pipe2(ends.data(), O_NONBLOCK);
  result(made);
  if (made == 0) {
    into_slot(ends[0], in);
    into_slot(ends[1], out);
  }
}

void step_poll(Random& random) {
  std::array<pollfd, 3> fds{};
  for (pollfd& fd : fds) {
    fd.fd = fd_of(random.below(kFdSlots));
    fd.events = random.below(2) == 0 ? POLLIN : POLLIN | POLLOUT;
  }
  say("poll %d %d %d", fds[0].fd - 10, fds[1].fd - 10, fds[2].fd - 10);
  result(::poll(fds.data(), fds.size(), 0));
  say(" %x %x %x", fds[0].revents, fds[1].revents, fds[2].revents);
}

void say_arena() {
  std::array<int, 2> probe{};
  if (::pipe2(probe.data(), O_NONBLOCK) != 0) {
    return say(" no probe");
  }
  std::uint64_t content = 0;
  std::array<char, kPage> copy;
  for (std::uint32_t page = 0; page < kArenaPages; ++page) {
    const ssize_t n = ::write(probe[1], arena(page), kPage);
    say("%c", n == static_cast<ssize_t>(kPage) ? 'r' : '-');
    const ssize_t got = ::read(probe[0], copy.data(), kPage);
    content =
        got > 0 ? hash(copy.data(), static_cast<std::size_t>(got), content + page + 1) : content;
  }
  say(" #%lx", content);
  ::close(probe[0]);
  ::close(probe[1]);
}

void step_memory(Random& random) {
  const std::uint32_t page = random.below(kArenaPages);
  const std::size_t length =
      kPage * (1 + random.below(static_cast<std::uint32_t>(kArenaPages - page)));
  static const std::array<int, 4> protections{PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE,
                                              PROT_READ | PROT_EXEC};
  const int protection = random.of(protections);
  switch (random.below(7)) {
    case 0:
      say("munmap %u %zx ", page, length);
      result(::munmap(arena(page), length));
      break;
    case 1:
      say("mprotect %u %zx %d ", page, length, protection);
      result(::mprotect(arena(page), length, protection));
      break;
    case 2: {
      const bool shared = random.below(3) == 0;
      say("mmap %u %zx %d %s ", page, length, protection, shared ? "shared" : "private");
      result(::mmap(arena(page), length, protection,
                    MAP_FIXED | MAP_ANONYMOUS | (shared ? MAP_SHARED : MAP_PRIVATE), -1,
                    0) == MAP_FAILED
                 ? -1
                 : 0);
      break;
    }
    case 3: {
      // Within the file: beyond its end would be SIGBUS, which is another test's subject.
      const std::uint32_t slot = random.below(kFdSlots);
      const bool shared = random.below(2) == 0;
      struct stat stat{};
      if (::fstat(fd_of(slot), &stat) != 0 || !S_ISREG(stat.st_mode) ||
          stat.st_size < static_cast<off_t>(length)) {
        return say("mmap file: too short");
      }
      say("mmap %u %zx %d file %u %s ", page, length, protection & PROT_READ, slot,
          shared ? "shared" : "private");
      void* const at = ::mmap(arena(page), length, protection & PROT_READ,
                              MAP_FIXED | (shared ? MAP_SHARED : MAP_PRIVATE), fd_of(slot), 0);
      result(at == MAP_FAILED ? -1 : 0);
      // The file may shrink later: keep a copy of what was mapped, not the mapping.
      if (at != MAP_FAILED && (protection & PROT_READ) != 0) {
        say(" #%lx", hash(at, length));
      }
      ::mmap(arena(page), length, PROT_NONE, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      break;
    }
    case 4:
      say("madvise %u %zx ", page, length);
      result(::madvise(arena(page), length, MADV_DONTNEED));
      break;
    case 5: {
      say("fill %u ", page);
      // read(2) stores without a fault.
      std::array<int, 2> feed{};
      if (::pipe2(feed.data(), O_NONBLOCK) == 0) {
        std::array<char, 100> bytes;
        bytes.fill(static_cast<char>(random.below(256)));
        (void)!::write(feed[1], bytes.data(), bytes.size());
        result(::read(feed[0], arena(page), bytes.size()));
        ::close(feed[0]);
        ::close(feed[1]);
      }
      break;
    }
    default: {
      const std::uint32_t to = random.below(kArenaPages);
      say("mremap %u %u ", page, to);
      result(::mremap(arena(page), kPage, kPage, MREMAP_MAYMOVE | MREMAP_FIXED, arena(to)) ==
                     MAP_FAILED
                 ? -1
                 : 0);
    }
  }
  say_arena();
}

void step_signal(Random& random) {
  const int number = random.of(kSignals);
  switch (random.below(4)) {
    case 0:
      say("kill self %d", number);
      result(::kill(::getpid(), number));
      break;
    case 1: {
      sigset_t set;
      sigemptyset(&set);
      sigaddset(&set, number);
      const int how = random.below(2) == 0 ? SIG_BLOCK : SIG_UNBLOCK;
      say("sigprocmask %d %d", how, number);
      result(::sigprocmask(how, &set, nullptr));
      break;
    }
    case 2: {
      struct sigaction action{};
      const bool ignore = random.below(3) == 0;
      action.sa_handler = ignore ? SIG_IGN : on_signal;
      action.sa_flags = random.below(2) == 0 ? SA_RESTART : SA_NODEFER;
      say("sigaction %d %s", number, ignore ? "ignore" : "catch");
      result(::sigaction(number, &action, nullptr));
      break;
    }
    default: {
      sigset_t set;
      sigemptyset(&set);
      sigaddset(&set, number);
      const timespec now{0, 0};
      say("sigtimedwait %d", number);
      result(::sigtimedwait(&set, nullptr, &now));
    }
  }
  say_signals();
}

void step_self(Random& random) {
  switch (random.below(5)) {
    case 0: {
      const mode_t mask = random.below(0100) | (random.below(2) == 0 ? 022 : 0);
      say("umask %o", mask);
      return result(::umask(mask));
    }
    case 1:
      say("chdir");
      return result(::chdir("."));
    case 2: {
      rlimit limit{};
      say("getrlimit");
      result(::getrlimit(RLIMIT_NOFILE, &limit));
      return say(" %lu %lu", limit.rlim_cur, limit.rlim_max);
    }
    case 3:
      say("ids");
      return say(" %u %u %u %u", ::getuid(), ::geteuid(), ::getgid(), ::getegid());
    default:
      say("getpriority");
      errno = 0;
      return result(::getpriority(PRIO_PROCESS, 0) + 20);
  }
}

}  // namespace random_calls
