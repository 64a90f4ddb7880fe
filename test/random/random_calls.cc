// SPDX-License-Identifier: Apache-2.0
// A random program of system calls, the same for the same seed wherever it runs, and a record of
// all that the kernel answered: return values, errno, memory, signals, wait statuses. run.sh
// compares the record of Linux with that of the guest.
//
//   random_calls SEED COUNT [INDEX…]    # with indices: only these steps, as a failure is minimised
//   random_calls FIRST-LAST COUNT       # all of these seeds
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <set>
#include <string>
#include <vector>

#include "steps.h"

namespace random_calls {
namespace {

// What a program is made of; its seed says which mix. More of what makes things for others to work
// on. A change of a mix gives the seeds of that mix another meaning: check seeds.txt.
using Mix = std::vector<Step>;
const Mix kCommon{step_openat, step_open,  step_open,  step_close, step_read,
                  step_read,   step_write, step_write, step_dup,   step_fcntl};

const std::vector<Mix>& mixes() {
  static const auto with = [](const Mix& more) {
    Mix mix = kCommon;
    mix.insert(mix.end(), more.begin(), more.end());
    return mix;
  };
  static const Mix plain{step_open,   step_open,     step_open,  step_close,  step_read,
                         step_read,   step_write,    step_write, step_write,  step_vector,
                         step_seek,   step_truncate, step_dup,   step_fcntl,  step_lock,
                         step_stat,   step_name,     step_name,  step_memory, step_pipe,
                         step_signal, step_poll};
  static const Mix names =
      with({step_openat, step_at, step_at, step_at, step_at, step_name, step_inode, step_xattr,
            step_inotify, step_inotify, step_list, step_stat, step_self});
  static const Mix data =
      with({step_vector, step_seek, step_truncate, step_lock, step_pipe, step_inode, step_range,
            step_range, step_copy, step_copy, step_memfd, step_memfd, step_descriptor,
            step_descriptor, step_stat});
  static const Mix memory = with({step_map_file, step_map_file, step_map_file, step_pages,
                                  step_pages, step_pages, step_memory, step_memory, step_transfer,
                                  step_transfer, step_memfd, step_truncate, step_pipe, step_proc});
  static const Mix signals = with(
      {step_signal, step_signal_rich, step_signal_rich, step_signal_rich, step_signal_rich,
       step_itimer, step_futex, step_futex, step_blocked, step_blocked, step_counter, step_poll});
  static const Mix ipc =
      with({step_socket, step_socket, step_socket, step_socket_option, step_send, step_send,
            step_receive, step_receive, step_counter, step_counter, step_epoll, step_epoll,
            step_select, step_poll, step_pipe, step_descriptor, step_vector, step_copy});
  static const Mix processes = with(
      {step_child, step_child, step_exec, step_group, step_credentials, step_limit, step_schedule,
       step_prctl, step_proc, step_proc, step_self, step_blocked, step_signal_rich, step_memfd});
  static const auto all = [] {
    Mix mix;
    for (const Mix& one : {plain, names, data, memory, signals, ipc, processes}) {
      mix.insert(mix.end(), one.begin(), one.end());
    }
    return mix;
  };
  static const std::vector<Mix> list{plain, names, data, memory, signals, ipc, processes, all()};
  return list;
}
constexpr std::array<Step, 2> kRareSteps{step_list, step_self};

struct Program {
  std::uint64_t seed;
  std::uint32_t count;
  std::set<std::uint32_t> only;  // empty: all
};

void run_steps(const Program& program, std::uint32_t from, std::uint32_t to);

/// A child does the next steps, then the parent does them too: with what the child left on disk, in
/// shared memory and in shared open files.
void step_fork(const Program& program, Random& random, std::uint32_t index) {
  const std::uint32_t end = std::min(program.count, index + 1 + random.below(12));
  const std::uint32_t ending = random.below(6);
  const int code = static_cast<int>(random.below(256));
  say("fork until %u\n", end);
  const pid_t child = ::fork();
  if (child == 0) {
    ++g_world.depth;
    run_steps(program, index + 1, end);
    if (ending == 0) {
      ::kill(::getpid(), SIGKILL);
    }
    if (ending == 1) {
      ::signal(SIGTERM, SIG_DFL);
      ::raise(SIGTERM);
    }
    if (ending == 2) {
      ::abort();
    }
    ::_exit(code);
  }
  say_end_of(child, (std::to_string(index) + ": child").c_str());
}

void run_steps(const Program& program, std::uint32_t from, std::uint32_t to) {
  constexpr std::uint32_t kForkIn = 24, kMaxDepth = 2, kRareIn = 20;
  const Mix& mix = mixes()[program.seed % mixes().size()];
  for (std::uint32_t index = from; index < to; ++index) {
    if (!program.only.empty() && !program.only.contains(index)) {
      continue;
    }
    // Each step has a sequence of its own, so that it is the same when others are left out.
    Random random(program.seed * 1'000'003 + index);
    say("%u: ", index);
    if (random.below(kForkIn) == 0) {
      if (g_world.depth < static_cast<int>(kMaxDepth)) {
        step_fork(program, random, index);
      }
    } else if (random.below(kRareIn) == 0) {
      random.of(kRareSteps)(random);
    } else {
      mix[random.below(static_cast<std::uint32_t>(mix.size()))](random);
    }
    say("\n");
  }
}

void run_program(const Program& program) {
  const std::string directory = "seed-" + std::to_string(program.seed);
  if (::mkdir(directory.c_str(), 0755) != 0 || ::chdir(directory.c_str()) != 0) {
    std::perror(directory.c_str());
    ::_exit(2);
  }
  ::mmap(arena(0), kArenaPages * kPage, PROT_READ | PROT_WRITE,
         MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  for (const int number : kSignals) {
    ::signal(number, on_signal);
  }
  ::signal(SIGPIPE, on_signal);  // else a program ends at the first broken pipe
  ::umask(022);
  run_steps(program, 0, program.count);
}

/// A program in a child, which must not hang.
bool run_one(const Program& program) {
  constexpr time_t kLimit = 30;
  sigset_t set, all, none;
  sigemptyset(&none);
  sigfillset(&all);
  sigemptyset(&set);
  sigaddset(&set, SIGCHLD);
  ::sigprocmask(SIG_SETMASK, &all, nullptr);  // a program signals its parent too
  const pid_t child = ::fork();
  if (child == 0) {
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    run_program(program);
    ::_exit(0);
  }
  const timespec limit{kLimit, 0};
  if (::sigtimedwait(&set, nullptr, &limit) < 0) {
    say(" hangs\n");
    ::kill(child, SIGKILL);
  }
  int status = -1;
  if (child < 0 || ::waitpid(child, &status, 0) != child) {
    std::perror("random_calls: fork");
    return false;
  }
  // Whom it left behind is ours, the first process, to reap.
  while (::waitpid(-1, nullptr, WNOHANG) > 0) {
  }
  const timespec now{0, 0};
  while (::sigtimedwait(&all, nullptr, &now) > 0) {
  }
  say("end %x\n", static_cast<unsigned>(status));
  return true;
}

/// So that no small number in a word is taken for a thread's.
void leave_small_pids() {
  constexpr pid_t kSmall = 16;
  pid_t child = 0;
  do {
    child = ::fork();
    if (child == 0) {
      ::_exit(0);
    }
  } while (child > 0 && ::waitpid(child, nullptr, 0) == child && child < kSmall);
}

int run(int argc, char** argv) {
  if (argc < 3) {
    std::fputs("usage: random_calls SEED|FIRST-LAST COUNT [INDEX...]\n", stderr);
    return 2;
  }
  ::dup2(1, kLogFd);
  leave_small_pids();
  char* rest = nullptr;
  const std::uint64_t first = std::strtoull(argv[1], &rest, 10);
  const std::uint64_t last = *rest == '-' ? std::strtoull(rest + 1, nullptr, 10) : first;
  Program program{first, static_cast<std::uint32_t>(std::atoi(argv[2])), {}};
  for (int i = 3; i < argc; ++i) {
    program.only.insert(static_cast<std::uint32_t>(std::atoi(argv[i])));
  }
  for (; program.seed <= last; ++program.seed) {
    say("seed %lu\n", program.seed);
    if (!run_one(program)) {
      return 2;
    }
  }
  return 0;
}

}  // namespace
}  // namespace random_calls

int main(int argc, char** argv) {
  if (argc > 1 && std::string(argv[1]) == "--report") {
    random_calls::say_program(argc, argv);
    return 0;
  }
  return random_calls::run(argc, argv);
}
