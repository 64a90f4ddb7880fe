// SPDX-License-Identifier: Apache-2.0
// Calls whose length the program chooses: others run meanwhile, SIGKILL ends them, and no other
// signal shortens what it does not shorten on Linux.
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/sendfile.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <functional>
#include <new>
#include <string>
#include <vector>

#include "syscall_test.h"

namespace {

constexpr std::size_t kMiB = 1 << 20;
/// As many bytes as one call moves at most (Linux's MAX_RW_COUNT).
constexpr std::size_t kMost = 0x7fff'f000;

/// What two processes see of each other.
struct Shared {
  std::atomic<int> inside{0};  // the call has begun
  std::atomic<int> over{0};    // and ended
};

class SharedMemory {
 public:
  SharedMemory()
      : at_(::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
                   0)) {
    new (at_) Shared;
  }
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;
  ~SharedMemory() { ::munmap(at_, sizeof(Shared)); }
  Shared* operator->() const { return static_cast<Shared*>(at_); }

 private:
  void* at_;
};

/// More than 2 GiB in which the same few pages lie again and again.
class Vector {
 public:
  explicit Vector(char fill = 0) : bytes_(4 * kMiB, fill) {
    parts_.fill({.iov_base = bytes_.data(), .iov_len = bytes_.size()});
  }
  [[nodiscard]] const iovec* get() const { return parts_.data(); }
  [[nodiscard]] int count() const { return static_cast<int>(parts_.size()); }
  /// So many parts of it.
  static constexpr std::size_t size_of(int count) {
    return static_cast<std::size_t>(count) * 4 * kMiB;
  }

 private:
  std::vector<char> bytes_;
  std::array<iovec, 600> parts_{};
};

/// A child is in `call` while the caller goes on; then it is killed there.
void expect_others_run_and_kill_ends(const std::function<void()>& call) {
  const SharedMemory shared;
  const pid_t child = ::fork();
  if (child == 0) {
    shared->inside = 1;
    call();
    shared->over = 1;
    ::_exit(0);
  }
  while (shared->inside == 0) {
    ::sched_yield();
  }
  ::sched_yield();  // perhaps it stood just before the call
  EXPECT_EQ(shared->over, 0);
  ::kill(child, SIGKILL);
  EXPECT_THAT(reap(child), DiedOf(SIGKILL));
  EXPECT_EQ(shared->over, 0);
}

class Long : public FileTest {
 protected:
  /// Zeros without a page of their own.
  Fd make_holes(std::size_t size) {
    Fd file = make_file("holes");
    EXPECT_THAT(::ftruncate(file.get(), static_cast<off_t>(size)), Succeeds());
    return file;
  }
};
INSTANTIATE_ON_FILE_SYSTEMS(Long);

TEST_P(Long, A_read_gives_way_and_can_be_killed) {
  const Fd file = make_holes(kMost);
  const Vector vector;
  expect_others_run_and_kill_ends(
      [&] { (void)::preadv(file.get(), vector.get(), vector.count(), 0); });
}

TEST_P(Long, A_write_gives_way_and_can_be_killed) {
  const Fd file = make_file("file");
  const Vector vector;
  expect_others_run_and_kill_ends(
      [&] { (void)::pwritev(file.get(), vector.get(), vector.count(), 0); });
}

TEST_P(Long, No_other_signal_shortens_a_read_or_a_write) {
  struct sigaction action{};
  static std::atomic<int> heard;
  heard = 0;
  action.sa_handler = [](int) { ++heard; };
  ASSERT_THAT(::sigaction(SIGALRM, &action, nullptr), Succeeds());
  const Fd file = make_holes(kMost);
  const Vector vector;
  const itimerval often{.it_interval = {0, 20'000}, .it_value = {0, 20'000}};
  ASSERT_THAT(::setitimer(ITIMER_REAL, &often, nullptr), Succeeds());
  EXPECT_THAT(::preadv(file.get(), vector.get(), vector.count(), 0), SucceedsWith(kMost));
  EXPECT_GT(heard, 0);
  heard = 0;
  while (heard == 0) {
    ASSERT_THAT(::pwritev(file.get(), vector.get(), 16, 0), SucceedsWith(Vector::size_of(16)));
  }
  const itimerval never{};
  ::setitimer(ITIMER_REAL, &never, nullptr);
}

TEST_P(Long, A_write_is_not_mixed_with_another_of_the_same_file) {
  constexpr int kParts = 12;
  constexpr int kWrites = 3;
  ASSERT_THAT(make_file("log").get(), Succeeds());
  const auto append = [this](char letter) {
    const pid_t child = ::fork();
    if (child == 0) {
      const Fd log{::open(path("log").c_str(), O_WRONLY | O_APPEND)};
      const Vector vector(letter);
      for (int i = 0; i < kWrites; ++i) {
        if (::writev(log.get(), vector.get(), kParts) !=
            static_cast<ssize_t>(Vector::size_of(kParts))) {
          ::_exit(1);
        }
      }
      ::_exit(0);
    }
    return child;
  };
  const pid_t one = append('1');
  const pid_t other = append('2');
  EXPECT_THAT(reap(one), Exited(0));
  EXPECT_THAT(reap(other), Exited(0));
  const Fd log{::open(path("log").c_str(), O_RDONLY)};
  std::vector<char> piece(Vector::size_of(kParts));
  for (int i = 0; i < 2 * kWrites; ++i) {
    ASSERT_THAT(::read(log.get(), piece.data(), piece.size()), SucceedsWith(piece.size()));
    EXPECT_EQ(std::count(piece.begin(), piece.end(), piece.front()),
              static_cast<std::ptrdiff_t>(piece.size()));
  }
}

TEST_P(Long, Setting_a_file_s_end_waits_for_the_write) {
  const Fd file = make_file("file");
  const Vector vector('x');
  const SharedMemory shared;
  const pid_t child = ::fork();
  if (child == 0) {
    shared->inside = 1;
    const bool whole =
        ::pwritev(file.get(), vector.get(), 64, 0) == static_cast<ssize_t>(Vector::size_of(64));
    ::_exit(whole ? 0 : 1);
  }
  while (shared->inside == 0 || ::lseek(file.get(), 0, SEEK_END) == 0) {
    ::sched_yield();
  }
  EXPECT_THAT(::ftruncate(file.get(), 1), Succeeds());
  EXPECT_THAT(::lseek(file.get(), 0, SEEK_END), SucceedsWith(1));
  EXPECT_THAT(reap(child), Exited(0));
  EXPECT_THAT(::lseek(file.get(), 0, SEEK_END), SucceedsWith(1));
}

TEST(LongMemory, Making_pages_gives_way_and_can_be_killed) {
  expect_others_run_and_kill_ends([] {
    (void)::mmap(nullptr, 1024 * kMiB, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  });
}

TEST(LongMemory, Pages_that_are_asked_for_are_there) {
  constexpr std::size_t kPage = 4096;
  constexpr std::size_t kSize = 9 * kMiB + kPage;  // no whole number of anything larger
  void* const at = ::mmap(nullptr, kSize, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  ASSERT_NE(at, MAP_FAILED);
  std::vector<unsigned char> there(kSize / kPage);
  EXPECT_THAT(::mincore(at, kSize, there.data()), Succeeds());
  EXPECT_EQ(std::count(there.begin(), there.end(), 1), static_cast<std::ptrdiff_t>(there.size()));
  EXPECT_THAT(::madvise(at, kSize, MADV_DONTNEED), Succeeds());
  EXPECT_THAT(::madvise(at, kSize, MADV_POPULATE_WRITE), Succeeds());
  EXPECT_THAT(::mincore(at, kSize, there.data()), Succeeds());
  EXPECT_EQ(std::count(there.begin(), there.end(), 1), static_cast<std::ptrdiff_t>(there.size()));
  EXPECT_THAT(::munmap(static_cast<char*>(at) + 4 * kMiB, kPage), Succeeds());
  EXPECT_THAT(::madvise(at, kSize, MADV_POPULATE_READ), FailsWith(ENOMEM));
  EXPECT_THAT(::munmap(at, kSize), Succeeds());
}

TEST(LongDevice, Zeros_give_way_and_can_be_killed) {
  const Fd file{::open("/dev/zero", O_RDONLY)};
  const Vector vector;
  expect_others_run_and_kill_ends([&] { (void)::readv(file.get(), vector.get(), vector.count()); });
}

TEST(LongDevice, Random_bytes_give_way_and_can_be_killed) {
  std::vector<char> bytes(32 * kMiB);
  expect_others_run_and_kill_ends([&] { (void)::getrandom(bytes.data(), bytes.size(), 0); });
}

}  // namespace
