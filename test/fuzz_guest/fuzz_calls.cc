// SPDX-License-Identifier: Apache-2.0
// Random system calls with random arguments, in rounds: the container's first process starts some
// processes of two threads each, which make calls until they end, crash or are killed. Nothing may
// come of it but that they do: the guest kernel must not panic, and the container must end.
//
//   fuzz_calls SEED SECONDS        # rounds until the time is over
//   fuzz_calls SEED 0 ROUND        # that round again
//
// What a process calls is decided by seed, round and its number; how processes mix is not. The file
// "round" holds the last one that began. Only for a container: it signals everything it can.
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>

#include "call_shapes.h"

namespace fuzz_guest {
namespace {

constexpr std::size_t kPage = 4096, kArenaPages = 32;
constexpr std::uintptr_t kArena = 0x1000'0000'0000;  // read-write, read-only, nothing, in turn
constexpr int kProcesses = 4, kCalls = 400;
constexpr time_t kRoundSeconds = 1;

class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed * 0x9e37'79b9'7f4a'7c15 + 0x1234'5677) {}
  std::uint64_t next() {
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    return state_ * 0x2545'f491'4f6c'dd1d;
  }
  std::uint64_t below(std::uint64_t limit) { return (next() >> 16) % limit; }
  bool one_in(std::uint64_t n) { return below(n) == 0; }
  template <typename T, std::size_t N>
  T of(const std::array<T, N>& choices) {
    return choices[below(N)];
  }

 private:
  std::uint64_t state_;
};

std::uint64_t any_number(Random& random) {
  static constexpr std::array<std::uint64_t, 24> edges{
      0,           1,           2,          7,           8,
      16,          63,          64,         255,         4095,
      4096,        4097,        65'535,     0x10'0000,   0x7fff'ffff,
      0x8000'0000, 0xffff'ffff, 1ULL << 32, 1ULL << 47,  0x7fff'ffff'ffff'ffff,
      1ULL << 63,  ~0ULL - 1,   ~0ULL,      ~0ULL - 4095};
  switch (random.below(4)) {
    case 0:
      return random.of(edges);
    case 1:
      return random.below(64);
    case 2:
      return 1ULL << random.below(64);
    default:
      return random.next() >> random.below(64);
  }
}

/// Memory of every kind; mostly the start of a page that can be written.
std::uint64_t any_address(Random& random) {
  const std::uint64_t page = kArena + random.below(kArenaPages) * kPage;
  switch (random.below(16)) {
    case 0:
      return 0;
    case 1:
      return page + kPage - random.below(64);  // over a page's end
    case 2:
      return page + random.below(kPage);
    case 3:
      return 0x7000'0000'0000 + (random.next() >> 24);  // where the guest kernel lives
    case 4:
      return 0x7000'0000'0000 + random.below(1ULL << 26);
    case 5:
      return any_number(random);
    case 6:
      return reinterpret_cast<std::uint64_t>(&any_number) & ~(kPage - 1);  // our own text
    default:
      return kArena + random.below(kArenaPages / 4) * 4 * kPage + random.below(4) * 256;
  }
}

std::uint64_t any_path(Random& random) {
  static std::array<std::array<char, 300>, 8> texts;
  static constexpr std::array<const char*, 25> paths{"a",
                                                     "b",
                                                     "d",
                                                     "d/a",
                                                     "d/../a",
                                                     "link",
                                                     "loop",
                                                     "fifo",
                                                     "sock",
                                                     ".",
                                                     "..",
                                                     "",
                                                     "/",
                                                     "/proc/self/fd/5",
                                                     "/proc/self/maps",
                                                     "/proc/self/mem",
                                                     "/proc/1/fd/0",
                                                     "/proc/self/task",
                                                     "/dev/null",
                                                     "/dev/zero",
                                                     "/dev/ptmx",
                                                     "/dev/full",
                                                     "/sys",
                                                     "/tmp/a",
                                                     "/proc/sys/kernel/pid_max"};
  auto& text = texts[random.below(texts.size())];
  if (random.one_in(12)) {
    text.fill('x');
    text.back() = '\0';
    return reinterpret_cast<std::uint64_t>(text.data());
  }
  std::snprintf(text.data(), text.size(), "%s", random.of(paths));
  return random.one_in(20) ? any_address(random) : reinterpret_cast<std::uint64_t>(text.data());
}

std::uint64_t any_fd(Random& random) {
  switch (random.below(12)) {
    case 0:
      return static_cast<std::uint64_t>(AT_FDCWD);
    case 1:
      return any_number(random);
    default:
      return 3 + random.below(40);
  }
}

/// What a call takes that wants this kind of argument (call_shapes.h names the letters).
std::uint64_t argument(Random& random, char kind) {
  if (random.one_in(12)) {
    kind = "nfpsia"[random.below(6)];
  }
  switch (kind) {
    case 'f':
      return any_fd(random);
    case 'p':
      return any_address(random);
    case 's':
      return any_path(random);
    case 'a':  // of pages
      return random.one_in(16) ? any_address(random) & ~(kPage - 1)
                               : kArena + random.below(kArenaPages) * kPage;
    case 'l':  // their length
      return random.one_in(8) ? any_number(random) : kPage * random.below(8);
    case 'b':  // of bytes
      return random.one_in(6) ? any_number(random) : random.below(6000);
    case 'i':  // a small number, or flags
      return random.one_in(6) ? any_number(random) : random.below(32);
    case 'm':  // flags
      return random.one_in(3) ? 1ULL << random.below(32)
                              : random.next() & random.next() & 0xff'ffff;
    case 'o':
      return random.one_in(6) ? any_number(random) : random.below(20'000);
    case 'g':
      return random.one_in(8) ? any_number(random) : random.below(66);
    case 'w':  // a process
      return random.one_in(4)   ? any_number(random)
             : random.one_in(3) ? 0
                                : static_cast<std::uint64_t>(::getpid());
    case '0':
      return 0;
    default:
      return any_number(random);
  }
}

/// Structures of all kinds are made of small numbers and addresses.
void fill_arena(Random& random) {
  for (std::size_t page = 0; page < kArenaPages; page += 4) {
    auto* const words = reinterpret_cast<std::uint64_t*>(kArena + page * kPage);
    for (std::size_t i = 0; i < 128; ++i) {
      words[i] = random.one_in(3)   ? any_address(random)
                 : random.one_in(2) ? random.below(64)
                                    : any_number(random);
    }
  }
}

void make_arena() {
  (void)::mmap(reinterpret_cast<void*>(kArena), kArenaPages * kPage, PROT_READ | PROT_WRITE,
               MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  for (std::size_t page = 0; page < kArenaPages; page += 4) {
    (void)::mprotect(reinterpret_cast<void*>(kArena + (page + 2) * kPage), kPage, PROT_READ);
    (void)::munmap(reinterpret_cast<void*>(kArena + (page + 3) * kPage), kPage);
  }
}

/// A descriptor of every kind, from number 3 on.
void make_descriptors() {
  std::array<int, 2> pair{};
  const int file = ::open("a", O_RDWR | O_CREAT, 0644);
  (void)!::ftruncate(file, 10'000);
  (void)::open("d", O_RDONLY | O_DIRECTORY);
  (void)::open("d", O_PATH);
  (void)::open("a", O_WRONLY | O_APPEND);
  (void)::open("/tmp/a", O_RDWR | O_CREAT, 0644);
  (void)::open(".", O_RDWR | O_TMPFILE, 0600);
  (void)::open("fifo", O_RDWR | O_NONBLOCK);
  (void)!::pipe(pair.data());
  (void)!::pipe2(pair.data(), O_NONBLOCK);
  (void)::socketpair(AF_UNIX, SOCK_STREAM, 0, pair.data());
  (void)::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, pair.data());
  (void)::socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair.data());
  const int listener = ::socket(AF_UNIX, SOCK_STREAM, 0);
  const sockaddr autobind{.sa_family = AF_UNIX, .sa_data = {}};
  (void)::bind(listener, &autobind, sizeof(autobind.sa_family));
  (void)::listen(listener, 3);
  (void)::socket(AF_INET, SOCK_STREAM, 0);
  (void)::socket(AF_INET, SOCK_DGRAM, 0);
  (void)::socket(AF_INET6, SOCK_STREAM, 0);
  (void)::eventfd(0, EFD_NONBLOCK);
  (void)::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  (void)::signalfd(-1, &set, SFD_NONBLOCK);
  const int poller = ::epoll_create1(0);
  epoll_event event{};
  event.events = EPOLLIN;
  (void)::epoll_ctl(poller, EPOLL_CTL_ADD, pair[0], &event);
  (void)::inotify_init1(IN_NONBLOCK);
  (void)::memfd_create("fuzz", MFD_ALLOW_SEALING);
  for (const char* const path : {"/dev/null", "/dev/zero", "/dev/ptmx", "/dev/urandom", "/dev/tty",
                                 "/proc/self/maps", "/proc/self/mem", "/proc/self/status",
                                 "/proc/self/fd", "/sys", "/proc/self/oom_score_adj"}) {
    (void)::open(path, O_RDWR);
    (void)::open(path, O_RDONLY);
  }
  (void)::syscall(SYS_pidfd_open, ::getpid(), 0);
}

void on_signal(int) {}

/// Time that is spent waiting is cut short, twenty times a second.
void keep_moving() {
  struct sigaction action{};
  action.sa_handler = on_signal;
  ::sigaction(SIGALRM, &action, nullptr);
  const itimerval often{{0, 50'000}, {0, 50'000}};
  ::setitimer(ITIMER_REAL, &often, nullptr);
}

bool is_forbidden(long number, const std::array<std::uint64_t, 6>& arguments) {
  switch (number) {
    case SYS_exit:
    case SYS_exit_group:
      return (arguments[0] & 7) != 0;  // too often the end
    case SYS_kill:
      // The first process survives what it has no handler for, yet not all of us at once.
      return static_cast<int>(arguments[0]) <= 0;
    case SYS_pause:
      return true;
    default:
      return false;
  }
}

void make_calls(std::uint64_t seed) {
  Random random(seed);
  int left = kCalls;
  const pid_t self = ::getpid();
  while (left-- > 0) {
    CallShape shape{static_cast<long>(random.below(480)), "nnnnnn"};
    if (!random.one_in(8)) {
      shape = kCallShapes[random.below(kCallShapes.size())];
    } else if (random.one_in(10)) {
      shape.number = static_cast<long>(any_number(random));
    }
    std::array<std::uint64_t, 6> arguments{};
    for (std::size_t i = 0; i < arguments.size(); ++i) {
      arguments[i] =
          i < std::strlen(shape.kinds) ? argument(random, shape.kinds[i]) : any_number(random);
    }
    if (random.one_in(50)) {
      fill_arena(random);
    }
    if (is_forbidden(shape.number, arguments)) {
      continue;
    }
    (void)::syscall(shape.number, arguments[0], arguments[1], arguments[2], arguments[3],
                    arguments[4], arguments[5]);
    // The child of a fork of its own: a little more, not twice as much.
    if (::syscall(SYS_getpid) != self) {
      left = std::min(left, 5);
    }
  }
}

void* second_thread(void* seed) {
  make_calls(reinterpret_cast<std::uint64_t>(seed));
  return nullptr;
}

[[noreturn]] void run_process(std::uint64_t seed) {
  const rlimit memory{512U << 20, 512U << 20}, file{64U << 20, 64U << 20}, processes{200, 200};
  ::setrlimit(RLIMIT_AS, &memory);
  ::setrlimit(RLIMIT_FSIZE, &file);
  ::setrlimit(RLIMIT_NPROC, &processes);
  // What pid 1 says and notes is its own.
  (void)::close_range(3, ~0U, 0);
  const int nothing = ::open("/dev/null", O_RDWR);
  for (const int number : {0, 1, 2}) {
    (void)::dup2(nothing, number);
  }
  (void)::close(nothing);
  make_arena();
  Random random(seed);
  fill_arena(random);
  make_descriptors();
  for (const int number : {SIGUSR1, SIGHUP, SIGPIPE, SIGXFSZ, SIGCHLD, SIGIO, 40}) {
    ::signal(number, on_signal);
  }
  keep_moving();
  pthread_t thread{};
  const bool two =
      ::pthread_create(&thread, nullptr, second_thread, reinterpret_cast<void*>(seed + 1)) == 0;
  make_calls(seed);
  if (two) {
    // The other may sleep for ever: the round's end comes for both.
    timespec limit{};
    ::clock_gettime(CLOCK_REALTIME, &limit);
    limit.tv_sec += kRoundSeconds;
    (void)::pthread_timedjoin_np(thread, nullptr, &limit);
  }
  ::_exit(0);
}

void prepare_files() {
  (void)::mkdir("d", 0755);
  (void)::mkfifo("fifo", 0600);
  (void)!::symlink("a", "link");
  (void)!::symlink("loop", "loop");
}

/// Waits until all are gone or the round's time is over; then ends and reaps what is left.
void end_round() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  const time_t end = now.tv_sec + kRoundSeconds + 1;
  pid_t got = 0;
  while ((got = ::waitpid(-1, nullptr, WNOHANG | __WALL)) >= 0 && now.tv_sec < end) {
    if (got == 0) {
      const timespec pause{0, 5'000'000};
      ::nanosleep(&pause, nullptr);
    }
    ::clock_gettime(CLOCK_MONOTONIC, &now);
  }
  (void)::kill(-1, SIGKILL);
  while (::waitpid(-1, nullptr, __WALL) > 0 || errno == EINTR) {
  }
}

void run_round(std::uint64_t seed, std::uint64_t round) {
  for (std::uint64_t i = 0; i < kProcesses; ++i) {
    if (::fork() == 0) {
      run_process(seed * 1'000'003 + round * 101 + i * 10);
    }
  }
  end_round();
}

int run(int argc, char** argv) {
  if (argc < 3 || ::getpid() != 1) {
    std::fputs("usage, in a container: fuzz_calls SEED SECONDS [ROUND]\n", stderr);
    return 2;
  }
  const std::uint64_t seed = std::strtoull(argv[1], nullptr, 10);
  const time_t seconds = std::atoi(argv[2]);
  prepare_files();
  const int log = ::open("round", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  std::uint64_t round = argc > 3 ? std::strtoull(argv[3], nullptr, 10) : 0;
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  const time_t end = now.tv_sec + seconds;
  do {
    std::array<char, 32> text{};
    const int size = std::snprintf(text.data(), text.size(), "%lu\n", round);
    (void)!::pwrite(log, text.data(), static_cast<std::size_t>(size), 0);
    run_round(seed, round++);
    ::clock_gettime(CLOCK_MONOTONIC, &now);
  } while (now.tv_sec < end);
  std::printf("fuzz_calls: %lu rounds\n", round);
  return 0;
}

}  // namespace
}  // namespace fuzz_guest

int main(int argc, char** argv) {
  return fuzz_guest::run(argc, argv);
}
