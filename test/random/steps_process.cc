// SPDX-License-Identifier: Apache-2.0
// Processes: children and what waiting tells of them, groups and sessions, programs, credentials,
// limits, scheduling, prctl, /proc.
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <set>
#include <vector>

#include "steps.h"

namespace random_calls {
namespace {

std::string read_all(const std::string& path) {
  std::string text;
  const int fd = ::open(path.c_str(), O_RDONLY);
  std::array<char, 4096> part;
  for (ssize_t n = 0; fd >= 0 && (n = ::read(fd, part.data(), part.size())) > 0;) {
    text.append(part.data(), static_cast<std::size_t>(n));
  }
  ::close(fd);
  return text;
}

/// The line of a /proc file that begins so.
std::string line_of(const std::string& text, const std::string& key) {
  const std::size_t at = ("\n" + text).find("\n" + key);
  return at == std::string::npos ? key + " missing" : text.substr(at, text.find('\n', at) - at);
}

void say_line(std::string line) {
  std::replace(line.begin(), line.end(), '\t', ' ');
  say(" [%s]", line.c_str());
}

int wait_for(int kind, pid_t child, int options, std::string& told) {
  std::array<char, 64> text{};
  if (kind == 0) {
    int status = -1;
    const pid_t got = ::waitpid(child, &status, options);
    std::snprintf(text.data(), text.size(), "%s %x",
                  got == child ? "child"
                  : got == 0   ? "none"
                               : "error",
                  got > 0 ? static_cast<unsigned>(status) & ~0x80U : 0U);
    told = text.data();
    return got < 0 ? -1 : 0;
  }
  siginfo_t info{};
  const int answer = ::waitid(kind == 1 ? P_PID : P_ALL, static_cast<id_t>(child), &info, options);
  const int error = errno;
  std::snprintf(text.data(), text.size(), "%s %d %d %d", info.si_pid == child ? "child" : "none",
                info.si_signo, info.si_code, info.si_status);
  told = text.data();
  errno = error;
  return answer;
}

}  // namespace

/// A child that only lives, until it is killed; stopped and continued and waited for meanwhile.
void step_child(Random& random) {
  say("child");
  sigset_t block, before;
  sigemptyset(&block);
  sigaddset(&block, SIGCHLD);
  ::sigprocmask(SIG_BLOCK, &block, &before);
  struct sigaction old{};
  ::sigaction(SIGCHLD, nullptr, &old);
  ::signal(SIGCHLD, SIG_DFL);
  std::array<int, 2> ready{};
  (void)!::pipe2(ready.data(), O_CLOEXEC);
  const pid_t child = ::fork();
  if (child == 0) {
    for (const int number : kSignals) {
      ::signal(number, SIG_DFL);
    }
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::close(ready[0]);
    ::close(ready[1]);
    for (;;) {
      ::pause();
    }
  }
  char end_of_file = 0;
  ::close(ready[1]);
  (void)!::read(ready[0], &end_of_file, 1);
  ::close(ready[0]);
  bool stopped = false, own = false;
  for (std::uint32_t left = random.below(6); left > 0; --left) {
    std::string told;
    const int kind = static_cast<int>(random.below(3));
    const int keep = random.one_in(3) ? WNOWAIT : 0;
    switch (random.below(6)) {
      case 0: {
        // A terminal's stop does nothing to an orphaned group, which ours may be.
        ::kill(child, own && random.one_in(2) ? SIGTSTP : SIGSTOP);
        const bool again = stopped;
        stopped = true;
        if (!again) {
          const int answer = kind == 0 ? wait_for(0, child, WUNTRACED, told)
                                       : wait_for(kind, child, WSTOPPED | keep, told);
          result(answer);
          say(" %s", told.c_str());
        }
        break;
      }
      case 1:
        ::kill(child, SIGCONT);
        if (stopped) {
          const int answer = kind == 0 ? wait_for(0, child, WCONTINUED, told)
                                       : wait_for(kind, child, WCONTINUED | keep, told);
          result(answer);
          say(" %s", told.c_str());
        }
        stopped = false;
        break;
      case 2:
        say(" setpgid");
        result(::setpgid(child, random.one_in(2) ? child : 0));
        own = true;
        say(" %s", ::getpgid(child) == child         ? "own"
                   : ::getpgid(child) == ::getpgrp() ? "ours"
                                                     : "other");
        break;
      case 3:
        say(" wait exited");
        result(kind == 0 ? wait_for(0, child, WNOHANG, told)
                         : wait_for(kind, child, WNOHANG | WEXITED, told));
        say(" %s", told.c_str());
        break;
      case 4:
        say(" odd options");
        result(kind == 0 ? wait_for(0, child, 0x100, told)
                         : wait_for(kind, child, random.one_in(2) ? WNOHANG : 0x1000, told));
        break;
      default:
        say(" sid %d %d", ::getsid(child) == ::getsid(0), ::kill(-child, 0));
        result(::kill(child, 0));
    }
  }
  static const std::array<int, 5> ends{SIGKILL, SIGTERM, SIGHUP, SIGUSR1, SIGRTMIN + 3};
  const int end = random.of(ends);
  ::kill(child, end);
  ::kill(child, SIGCONT);
  std::string told;
  siginfo_t info{};
  rusage usage{};
  int status = 0;
  result(::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT));
  say(" %d %d", info.si_code, info.si_status);
  result(::wait4(child, &status, __WALL, &usage) == child ? 0 : -1);
  say(" %x", static_cast<unsigned>(status));
  result(::waitpid(child, &status, 0));
  say(" pending %d", ::sigtimedwait(&block, &info, std::array<timespec, 1>{}.data()));
  ::sigaction(SIGCHLD, &old, nullptr);
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
}

void step_exec(Random& random) {
  say("exec ");
  const std::uint32_t kind = random.below(4);
  // Of what no write keeps busy.
  static const std::array<const char*, 5> odd{".", "d", "missing/x", "fifo", ""};
  const std::string path = kind == 0 ? random.of(odd) : "/bin/random_calls";
  const std::string argument(random.one_in(3) ? random.below(5000) : random.below(20), 'x');
  const bool ignore = random.one_in(2), block = random.one_in(2);
  const bool share = random.one_in(3);
  const std::string script = kind == 1 ? "#!/bin/random_calls  --report \n" : "";
  std::array<char*, 5> arguments{const_cast<char*>("random"), const_cast<char*>("--report"),
                                 const_cast<char*>(argument.c_str()), nullptr};
  std::array<char*, 2> environment{const_cast<char*>("A=b"), nullptr};
  const auto body = [&] {
    if (ignore) {
      ::signal(SIGUSR1, SIG_IGN);
    }
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    ::sigprocmask(block ? SIG_BLOCK : SIG_UNBLOCK, &set, nullptr);
    if (kind == 1) {
      const int fd = ::open("script", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
      (void)!::write(fd, script.data(), script.size());
      ::fchmod(fd, 0755);
      ::close(fd);
      ::execve("./script", arguments.data(), environment.data());
    } else if (kind == 2) {
      ::syscall(SYS_execveat, fd_of(random.below(kFdSlots)), "a", arguments.data(),
                environment.data(), 0);
    } else {
      ::execve(path.c_str(), arguments.data(), environment.data());
    }
    result(-1);
  };
  if (!share) {
    return in_child(body);
  }
  const pid_t child = ::vfork();
  if (child == 0) {
    ::execve(path.c_str(), arguments.data(), environment.data());
    ::_exit(errno);
  }
  say_end_of(child);
}

void say_program(int argc, char** argv) {
  say(" argc %d", argc);
  for (int i = 1; i < argc; ++i) {
    say(" %zu", std::strlen(argv[i]));
  }
  for (std::uint32_t slot = 0; slot < kFdSlots; ++slot) {
    say("%s", ::fcntl(fd_of(slot), F_GETFD) < 0 ? "-" : "o");
  }
  const std::string status = read_all("/proc/self/status");
  for (const char* const key : {"SigPnd", "ShdPnd", "SigBlk", "SigIgn", "SigCgt", "CapEff",
                                "CapPrm", "Uid", "Groups", "Umask"}) {
    say_line(line_of(status, key));
  }
}

void step_group(Random& random) {
  say("groups");
  const std::array<std::uint32_t, 4> ways{random.below(7), random.below(7), random.below(7),
                                          random.below(7)};
  in_child([&] {
    for (const std::uint32_t way : ways) {
      switch (way) {
        case 0:
          say(" setsid");
          result(::setsid() >= 0 ? 0 : -1);
          break;
        case 1:
          say(" setpgid");
          result(::setpgid(0, 0));
          break;
        case 2:
          say(" join parent");
          result(::setpgid(0, ::getpgid(::getppid())));
          break;
        case 3:
          say(" parent");
          result(::setpgid(::getppid(), 0));
          break;
        case 4:
          say(" negative");
          result(::setpgid(0, -1));
          break;
        case 5:
          say(" none");
          result(::getpgid(99'999));
          break;
        default:
          say(" kill own");
          if (::getpgrp() == ::getpid()) {
            result(::kill(0, SIGUSR1));
          }
      }
      say(" %d%d", ::getpgrp() == ::getpid(), ::getsid(0) == ::getpid());
    }
  });
}

void step_credentials(Random& random) {
  static const std::array<long, 5> ids{0, 1000, 1, -1, 65'534};
  say("credentials");
  in_child([&] {
    const pid_t self = ::getpid();
    (void)self;
    for (std::uint32_t left = 1 + random.below(4); left > 0; --left) {
      const long a = random.of(ids), b = random.of(ids), c = random.of(ids);
      const std::uint32_t way = random.below(13);
      say(" %u(%ld %ld %ld)", way, a, b, c);
      switch (way) {
        case 0:
          result(::syscall(SYS_setuid, a));
          break;
        case 1:
          result(::syscall(SYS_setgid, a));
          break;
        case 2:
          result(::syscall(SYS_setreuid, a, b));
          break;
        case 3:
          result(::syscall(SYS_setregid, a, b));
          break;
        case 4:
          result(::syscall(SYS_setresuid, a, b, c));
          break;
        case 5:
          result(::syscall(SYS_setresgid, a, b, c));
          break;
        case 6: {
          const std::array<gid_t, 3> list{5, 1000, static_cast<gid_t>(c)};
          result(::syscall(SYS_setgroups, random.below(4), list.data()));
          break;
        }
        case 7:
          result(::setfsuid(static_cast<uid_t>(a)));
          result(::setfsuid(static_cast<uid_t>(-1)));
          break;
        case 8:
          result(::prctl(PR_SET_KEEPCAPS, random.below(3), 0, 0, 0));
          break;
        case 9:
          result(::prctl(PR_CAPBSET_DROP, random.below(45), 0, 0, 0));
          break;
        case 10:
          result(::prctl(PR_CAP_AMBIENT, 1 + random.below(5), random.below(8), 0, 0));
          break;
        case 11:
          result(::prctl(PR_SET_SECUREBITS, random.below(256), 0, 0, 0));
          break;
        default: {
          __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
          std::array<__user_cap_data_struct, 2> data{};
          result(::syscall(SYS_capget, &header, data.data()));
          data[0].effective &= random.below(2) == 0 ? ~0x20U : ~0U;
          data[0].inheritable |= random.below(2) == 0 ? 0x20U : 0x800U;
          result(::syscall(SYS_capset, &header, data.data()));
        }
      }
    }
    const std::string status = read_all("/proc/self/status");
    for (const char* const key :
         {"Uid", "Gid", "Groups", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs"}) {
      say_line(line_of(status, key));
    }
    const std::string path = name_of(random.below(kNames));
    say(" open %s", path.c_str());
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_NONBLOCK, 0640);
    result(fd < 0 ? -1 : 0);
    struct stat stat{};
    if (::fstat(fd, &stat) == 0) {
      say_stat(stat);
    }
    result(::chmod(path.c_str(), 06755));
    result(::chown(path.c_str(), static_cast<uid_t>(random.of(ids)),
                   static_cast<gid_t>(random.of(ids))));
    result(::kill(::getppid(), 0));
  });
}

void step_limit(Random& random) {
  static const std::array<int, 9> resources{RLIMIT_NOFILE, RLIMIT_FSIZE,   RLIMIT_FSIZE,
                                            RLIMIT_STACK,  RLIMIT_AS,      RLIMIT_DATA,
                                            RLIMIT_NICE,   RLIMIT_MEMLOCK, 77};
  static const std::array<rlim_t, 6> values{0, 12, 15, 5000, 1'000'000'000, RLIM_INFINITY};
  const int resource = random.of(resources);
  const std::uint32_t slot = random.below(kFdSlots);
  say("limit %d", resource);
  in_child([&] {
    rlimit limit{random.of(values), random.of(values)}, old{};
    if (random.one_in(2)) {
      ::getrlimit(static_cast<__rlimit_resource>(resource), &old);
      limit.rlim_max = old.rlim_max;
    }
    say(" %lu %lu", limit.rlim_cur, limit.rlim_max);
    result(static_cast<int>(::syscall(SYS_prlimit64, 0, resource, &limit, &old)));
    result(static_cast<int>(::syscall(SYS_prlimit64, 0, resource, nullptr, &limit)));
    if (resource == RLIMIT_NOFILE || resource == RLIMIT_FSIZE || resource == RLIMIT_CORE) {
      say(" %lu %lu", limit.rlim_cur, limit.rlim_max);
    }
    say(" dup");
    result(::dup(fd_of(slot)) >= 0 ? 0 : -1);
    result(::dup2(0, 14) >= 0 ? 0 : -1);
    result(::fcntl(0, F_DUPFD, 15) >= 0 ? 0 : -1);
    ::signal(SIGXFSZ, random.one_in(2) ? SIG_IGN : SIG_DFL);
    const std::array<char, 8000> bytes{};
    say(" write");
    const int fd = ::open("limited", O_RDWR | O_CREAT | O_TRUNC, 0600);
    result(fd >= 0 ? 0 : -1);
    result(::ftruncate(fd, 4));
    result(::write(fd, bytes.data(), bytes.size()));
    result(::write(fd, bytes.data(), bytes.size()));
    result(::ftruncate(fd, 20'000));
  });
  ::unlink("limited");
}

void step_schedule(Random& random) {
  say("schedule");
  in_child([&] {
    for (std::uint32_t left = 1 + random.below(3); left > 0; --left) {
      sched_param parameter{static_cast<int>(random.below(3))};
      const int policy = static_cast<int>(random.below(8));
      switch (random.below(8)) {
        case 0:
          say(" setscheduler %d %d", policy, parameter.sched_priority);
          result(::sched_setscheduler(0, policy, &parameter));
          break;
        case 1:
          say(" setparam");
          result(::sched_setparam(0, &parameter));
          break;
        case 2:
          say(" priorities %d", policy);
          result(::sched_get_priority_max(policy));
          result(::sched_get_priority_min(policy));
          break;
        case 3: {
          const int nice = static_cast<int>(random.below(50)) - 10;
          say(" setpriority %d", nice);
          result(::setpriority(PRIO_PROCESS, random.one_in(4) ? 99'999 : 0, nice));
          break;
        }
        case 4: {
          cpu_set_t set;
          CPU_ZERO(&set);
          if (random.one_in(2)) {
            CPU_SET(0, &set);
          }
          say(" setaffinity");
          result(::sched_setaffinity(0, random.one_in(5) ? 4 : sizeof(set), &set));
          // How many there are is the runtime's affair.
          result(::sched_getaffinity(0, sizeof(set), &set));
          break;
        }
        case 5: {
          timespec interval{};
          say(" rr_get_interval");
          result(::sched_rr_get_interval(random.one_in(3) ? -1 : 0, &interval));
          break;
        }
        case 6:
          say(" nice");
          errno = 0;
          result(::nice(static_cast<int>(random.below(30)) - 5) + 100);
          break;
        default: {
          std::array<std::uint32_t, 14> attributes{};  // struct sched_attr
          say(" getattr");
          result(::syscall(SYS_sched_getattr, 0, attributes.data(), random.one_in(4) ? 8 : 48, 0));
          say(" %u %u", attributes[0], attributes[1]);
        }
      }
    }
    sched_param parameter{};
    say(" end");
    result(::sched_getscheduler(0));
    result(::sched_getparam(0, &parameter));
    errno = 0;
    result(::getpriority(PRIO_PROCESS, 0) + 20);
  });
}

void step_prctl(Random& random) {
  say("prctl");
  std::array<char, 32> name{};
  int value = -7;
  const unsigned long argument = random.below(4);
  switch (random.below(9)) {
    case 0: {
      const std::string text(random.below(25), 'n');
      say(" name %zu", text.size());
      result(::prctl(PR_SET_NAME, text.c_str(), 0, 0, 0));
      result(::prctl(PR_GET_NAME, name.data(), 0, 0, 0));
      return say(" %s %s", name.data(), read_all("/proc/self/comm").substr(0, 15).c_str());
    }
    case 1:
      say(" pdeathsig %lu", argument * 30);
      result(::prctl(PR_SET_PDEATHSIG, argument * 30, 0, 0, 0));
      result(::prctl(PR_GET_PDEATHSIG, &value, 0, 0, 0));
      say(" %d", value);
      (void)::prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0);
      return;
    case 2:
      say(" dumpable %lu", argument);
      result(::prctl(PR_SET_DUMPABLE, argument, 0, 0, 0));
      result(::prctl(PR_GET_DUMPABLE, 0, 0, 0, 0));
      (void)::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
      return;
    case 3:
      say(" timerslack");
      result(::prctl(PR_SET_TIMERSLACK, argument * 1000, 0, 0, 0));
      return result(::prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0));
    case 4:
      say(" subreaper");
      result(::prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0));
      result(::prctl(PR_GET_CHILD_SUBREAPER, &value, 0, 0, 0));
      return say(" %d", value);
    case 5:
      say(" no_new_privs %lu", argument);
      result(::prctl(PR_SET_NO_NEW_PRIVS, argument, 0, 0, random.one_in(3) ? 1 : 0));
      return result(::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
    case 6:
      say(" capbset %lu", argument * 20);
      return result(::prctl(PR_CAPBSET_READ, argument * 20, 0, 0, 0));
    case 7:
      say(" tsc/keepcaps");
      result(::prctl(PR_GET_KEEPCAPS, 0, 0, 0, 0));
      result(::prctl(PR_GET_SECUREBITS, 0, 0, 0, 0));
      return result(::prctl(PR_GET_TIMING, 0, 0, 0, 0));
    default:
      say(" unknown");
      return result(::prctl(7777, 0, 0, 0, 0));
  }
}

void step_proc(Random& random) {
  const std::uint32_t slot = random.below(kFdSlots);
  switch (random.below(8)) {
    case 0: {
      say("proc status");
      const std::string status = read_all("/proc/self/status");
      for (const char* const key :
           {"Umask", "State", "Uid", "Gid", "FDSize", "Groups", "Threads", "SigPnd", "ShdPnd",
            "SigBlk", "SigIgn", "SigCgt", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb",
            "NoNewPrivs", "Seccomp:"}) {
        say_line(line_of(status, key));
      }
      return;
    }
    case 1: {
      say("proc limits");
      const std::string limits = read_all("/proc/self/limits");
      for (const char* const key : {"Limit", "Max open files", "Max file size"}) {
        say_line(line_of(limits, key));
      }
      return;
    }
    case 2: {
      say("proc fdinfo %u", slot);
      const std::string text = read_all("/proc/self/fdinfo/" + std::to_string(fd_of(slot)));
      struct stat stat{};
      if (::fstat(fd_of(slot), &stat) != 0 || !S_ISREG(stat.st_mode)) {
        return say(" %s", text.empty() ? "none" : "some");
      }
      say_line(line_of(text, "pos:"));
      return say_line(line_of(text, "flags:"));
    }
    case 3: {
      std::array<char, 300> target{};
      say("proc fd %u", slot);
      if (::fcntl(fd_of(slot), F_GET_SEALS) >= 0) {
        return say(" memory");  // whose name the guest does not tell
      }
      const ssize_t n = ::readlink(("/proc/self/fd/" + std::to_string(fd_of(slot))).c_str(),
                                   target.data(), target.size() - 1);
      result(n < 0 ? -1 : 0);
      const std::string text = target.data();
      // Numbers of inodes are nobody's.
      return n > 0 ? say(" %s", text[0] == '/' ? text.substr(text.rfind('/')).c_str()
                                               : text.substr(0, text.find(':')).c_str())
                   : void();
    }
    case 4:
      say("proc cmdline");
      return say(" #%lx %d", 0UL, read_all("/proc/self/cmdline").empty() ? 0 : 1);
    case 5: {
      // The arena as the kernel tells of it.
      say("proc maps");
      const std::string maps = read_all("/proc/self/maps");
      std::size_t at = 0;
      while (at < maps.size()) {
        const std::size_t end = maps.find('\n', at);
        const std::string line = maps.substr(at, end - at);
        at = end + 1;
        if (line.rfind("10000", 0) == 0 && line.find('-') == 12) {
          const std::size_t flags = line.find(' ');
          // Which neighbours are told as one is left open.
          const std::size_t from = std::strtoull(line.c_str(), nullptr, 16);
          const std::size_t to = std::strtoull(line.c_str() + 13, nullptr, 16);
          for (std::size_t page = from; page < to; page += kPage) {
            say(" %zx:%s", (page - kArena) / kPage, line.substr(flags + 1, 4).c_str());
          }
        }
      }
      return;
    }
    case 6:
      say("proc oom");
      say(" %s", read_all("/proc/self/oom_score_adj").c_str());
      return;
    default: {
      static const std::array<const char*, 6> files{
          "/proc/self/nothing", "/proc/99999/stat",         "/proc/self/fd/999",
          "/proc/self/task/1x", "/proc/sys/kernel/nothing", "/proc/self/environ/x"};
      const char* const path = random.of(files);
      say("proc open %s", path);
      return result(::open(path, O_RDONLY));
    }
  }
}

}  // namespace random_calls
