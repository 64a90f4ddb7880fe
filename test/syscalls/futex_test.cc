// SPDX-License-Identifier: Apache-2.0
// futex(2): every operation, without a library in between.
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>

#include <array>
#include <atomic>
#include <climits>
#include <csignal>
#include <thread>
#include <vector>

#include "syscall_test.h"

namespace {

using Word = std::atomic<std::uint32_t>;

long futex(Word& word, int op, std::uint32_t value, const timespec* timeout = nullptr,
           Word* second = nullptr, std::uint32_t value3 = 0) {
  return ::syscall(SYS_futex, &word, op, value, timeout, second, value3);
}
long futex_counts(Word& word, int op, std::uint32_t value, std::uint32_t value2, Word& second,
                  std::uint32_t value3 = 0) {
  return ::syscall(SYS_futex, &word, op, value, static_cast<unsigned long>(value2), &second,
                   value3);
}

constexpr timespec kSoon{0, 20'000'000};
constexpr timespec kLong{20, 0};

/// Threads that wait on a word; `waiting` says when they are about to.
class Waiters {
 public:
  Waiters(Word& word, int count, int op = FUTEX_WAIT_PRIVATE, std::uint32_t bits = 0)
      : word_(word) {
    for (int i = 0; i < count; ++i) {
      threads_.emplace_back([this, op, bits] {
        ++begun_;
        while (futex(word_, op, 0, op == FUTEX_WAIT_PRIVATE ? &kLong : nullptr, nullptr, bits) !=
                   0 &&
               errno == EINTR) {
        }
        ++woken_;
      });
    }
  }
  ~Waiters() {
    for (std::thread& thread : threads_) {
      thread.join();
    }
  }
  /// Until the kernel has all of them: what a requeue of none to itself counts.
  void settle(int count) {
    while (futex_counts(word_, FUTEX_CMP_REQUEUE_PRIVATE, 0, INT_MAX, word_, word_.load()) !=
           count) {
      ::sched_yield();
    }
  }
  int woken() const { return woken_.load(); }
  void await_woken(int count) {
    while (woken_.load() < count) {
      ::sched_yield();
    }
  }

 private:
  Word& word_;
  std::atomic<int> begun_{0}, woken_{0};
  std::vector<std::thread> threads_;
};

TEST(Futex, Does_not_wait_for_another_value) {
  Word word{1};
  EXPECT_THAT(futex(word, FUTEX_WAIT, 0), FailsWith(EAGAIN));
  EXPECT_THAT(futex(word, FUTEX_WAIT_BITSET, 0, nullptr, nullptr, 1), FailsWith(EAGAIN));
}

TEST(Futex, Waits_no_longer_than_it_is_told) {
  Word word{0};
  EXPECT_THAT(futex(word, FUTEX_WAIT, 0, &kSoon), FailsWith(ETIMEDOUT));
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  EXPECT_THAT(futex(word, FUTEX_WAIT_BITSET, 0, &now, nullptr, ~0U), FailsWith(ETIMEDOUT));
  ::clock_gettime(CLOCK_REALTIME, &now);
  EXPECT_THAT(futex(word, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 0, &now, nullptr, ~0U),
              FailsWith(ETIMEDOUT));
}

TEST(Futex, Refuses_what_is_no_futex) {
  Word word{0};
  const timespec bad{0, 1'000'000'000};
  auto* const crooked = reinterpret_cast<Word*>(reinterpret_cast<char*>(&word) + 1);
  EXPECT_THAT(futex(*crooked, FUTEX_WAIT, 0), FailsWith(EINVAL));
  EXPECT_THAT(futex(*static_cast<Word*>(bad_address()), FUTEX_WAIT, 0, nullptr), FailsWith(EFAULT));
  EXPECT_THAT(futex(word, FUTEX_WAIT, 0, &bad), FailsWith(EINVAL));
  EXPECT_THAT(futex(word, FUTEX_WAIT_BITSET, 0, nullptr, nullptr, 0), FailsWith(EINVAL));
  EXPECT_THAT(futex(word, FUTEX_WAKE_BITSET, 1, nullptr, nullptr, 0), FailsWith(EINVAL));
  EXPECT_THAT(futex(word, FUTEX_WAKE | FUTEX_CLOCK_REALTIME, 1), FailsWith(ENOSYS));
  EXPECT_THAT(futex(word, 77, 1), FailsWith(ENOSYS));
}

TEST(Futex, Wakes_as_many_as_it_is_told) {
  Word word{0};
  EXPECT_THAT(futex(word, FUTEX_WAKE_PRIVATE, INT_MAX), SucceedsWith(0));
  Waiters waiters(word, 3);
  waiters.settle(3);
  EXPECT_THAT(futex(word, FUTEX_WAKE_PRIVATE, 2), SucceedsWith(2));
  waiters.await_woken(2);
  EXPECT_THAT(futex(word, FUTEX_WAKE_PRIVATE, INT_MAX), SucceedsWith(1));
}

TEST(Futex, A_private_wake_does_not_reach_a_shared_waiter) {
  Word word{0};
  Waiters waiters(word, 1, FUTEX_WAIT);
  while (futex_counts(word, FUTEX_CMP_REQUEUE, 0, INT_MAX, word, 0) != 1) {
    ::sched_yield();
  }
  EXPECT_THAT(futex(word, FUTEX_WAKE_PRIVATE, INT_MAX), SucceedsWith(0));
  EXPECT_THAT(futex(word, FUTEX_WAKE, INT_MAX), SucceedsWith(1));
}

TEST(Futex, Bits_choose_who_is_woken) {
  Word word{0};
  Waiters first(word, 1, FUTEX_WAIT_BITSET_PRIVATE, 1);
  Waiters second(word, 1, FUTEX_WAIT_BITSET_PRIVATE, 2);
  first.settle(2);
  EXPECT_THAT(futex(word, FUTEX_WAKE_BITSET_PRIVATE, INT_MAX, nullptr, nullptr, 4),
              SucceedsWith(0));
  EXPECT_THAT(futex(word, FUTEX_WAKE_BITSET_PRIVATE, INT_MAX, nullptr, nullptr, 2),
              SucceedsWith(1));
  second.await_woken(1);
  EXPECT_EQ(first.woken(), 0);
  EXPECT_THAT(futex(word, FUTEX_WAKE_PRIVATE, INT_MAX), SucceedsWith(1));
}

TEST(Futex, Requeue_moves_those_it_does_not_wake) {
  Word word{0};
  Word other{0};
  Waiters waiters(word, 3);
  waiters.settle(3);
  EXPECT_THAT(futex_counts(word, FUTEX_CMP_REQUEUE_PRIVATE, 1, 1, other, 7), FailsWith(EAGAIN));
  EXPECT_THAT(futex_counts(word, FUTEX_CMP_REQUEUE_PRIVATE, 1, 1, other, 0), SucceedsWith(2));
  EXPECT_THAT(futex(word, FUTEX_WAKE_PRIVATE, INT_MAX), SucceedsWith(1));
  EXPECT_THAT(futex(other, FUTEX_WAKE_PRIVATE, INT_MAX), SucceedsWith(1));
  EXPECT_THAT(futex_counts(word, FUTEX_REQUEUE_PRIVATE, static_cast<std::uint32_t>(-1), 1, other),
              FailsWith(EINVAL));
}

TEST(Futex, Wake_op_changes_and_compares) {
  Word word{0};
  Word other{5};
  Waiters waiters(word, 1);
  waiters.settle(1);
  const auto add_one_if_five = FUTEX_OP(FUTEX_OP_ADD, 1, FUTEX_OP_CMP_EQ, 5);
  EXPECT_THAT(futex_counts(word, FUTEX_WAKE_OP_PRIVATE, 1, 1, other,
                           static_cast<std::uint32_t>(add_one_if_five)),
              SucceedsWith(1));
  EXPECT_EQ(other.load(), 6U);
  const auto shifted = FUTEX_OP(FUTEX_OP_OR | FUTEX_OP_OPARG_SHIFT, 4, FUTEX_OP_CMP_LT, 0);
  EXPECT_THAT(
      futex_counts(word, FUTEX_WAKE_OP_PRIVATE, 1, 1, other, static_cast<std::uint32_t>(shifted)),
      SucceedsWith(0));
  EXPECT_EQ(other.load(), 22U);
}

TEST(Futex, A_child_wakes_its_parent_through_shared_memory) {
  void* const memory =
      ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  auto& word = *new (memory) Word{0};
  const pid_t child = ::fork();
  if (child == 0) {
    while (futex(word, FUTEX_WAKE, 1) != 1) {
      ::sched_yield();
    }
    ::_exit(0);
  }
  EXPECT_THAT(futex(word, FUTEX_WAIT, 0, &kLong), SucceedsWith(0));
  int status = -1;
  EXPECT_THAT(::waitpid(child, &status, 0), SucceedsWith(child));
}

void on_alarm(int) {}

void alarm_in(long microseconds) {
  const itimerval when{{0, 0}, {0, microseconds}};
  ::setitimer(ITIMER_REAL, &when, nullptr);
}

TEST(Futex, A_handler_ends_a_wait_with_a_timeout_whatever_its_flags) {
  struct sigaction action{};
  action.sa_handler = on_alarm;
  action.sa_flags = SA_RESTART;
  ::sigaction(SIGALRM, &action, nullptr);
  Word word{0};
  alarm_in(20'000);
  EXPECT_THAT(futex(word, FUTEX_WAIT, 0, &kLong), FailsWith(EINTR));
  action.sa_flags = 0;
  ::sigaction(SIGALRM, &action, nullptr);
  alarm_in(20'000);
  EXPECT_THAT(futex(word, FUTEX_WAIT, 0), FailsWith(EINTR));
  ::signal(SIGALRM, SIG_DFL);
}

std::uint32_t tid() {
  return static_cast<std::uint32_t>(::syscall(SYS_gettid));
}

TEST(FutexPi, Belongs_to_who_locked_it) {
  Word word{0};
  EXPECT_THAT(futex(word, FUTEX_LOCK_PI, 0), SucceedsWith(0));
  EXPECT_EQ(word.load(), tid());
  EXPECT_THAT(futex(word, FUTEX_LOCK_PI, 0), FailsWith(EDEADLK));
  EXPECT_THAT(futex(word, FUTEX_TRYLOCK_PI, 0), FailsWith(EDEADLK));
  EXPECT_THAT(futex(word, FUTEX_UNLOCK_PI, 0), SucceedsWith(0));
  EXPECT_EQ(word.load(), 0U);
  EXPECT_THAT(futex(word, FUTEX_UNLOCK_PI, 0), FailsWith(EPERM));
}

TEST(FutexPi, Of_nobody_there_is_ESRCH) {
  Word word{0x3fff'fff0};
  EXPECT_THAT(futex(word, FUTEX_LOCK_PI, 0), FailsWith(ESRCH));
}

TEST(FutexPi, Is_handed_to_the_waiter) {
  Word word{0};
  EXPECT_THAT(futex(word, FUTEX_LOCK_PI, 0), SucceedsWith(0));
  std::uint32_t other = 0;
  long locked = -1;
  std::thread thread([&] {
    other = tid();
    locked = futex(word, FUTEX_LOCK_PI, 0);
    EXPECT_EQ(word.load() & FUTEX_TID_MASK, other);
    EXPECT_THAT(futex(word, FUTEX_UNLOCK_PI, 0), SucceedsWith(0));
  });
  while ((word.load() & FUTEX_WAITERS) == 0) {
    ::sched_yield();
  }
  EXPECT_EQ(word.load() & FUTEX_TID_MASK, tid());
  EXPECT_THAT(futex(word, FUTEX_UNLOCK_PI, 0), SucceedsWith(0));
  thread.join();
  EXPECT_EQ(locked, 0);
  EXPECT_EQ(word.load(), 0U);
}

TEST(FutexPi, Waits_until_a_time_of_the_wall_clock) {
  Word word{0};
  EXPECT_THAT(futex(word, FUTEX_LOCK_PI, 0), SucceedsWith(0));
  std::thread([&word] {
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    EXPECT_THAT(futex(word, FUTEX_LOCK_PI, 0, &now), FailsWith(ETIMEDOUT));
    EXPECT_THAT(futex(word, FUTEX_TRYLOCK_PI, 0), FailsWith(EAGAIN));
  }).join();
  EXPECT_THAT(futex(word, FUTEX_UNLOCK_PI, 0), SucceedsWith(0));
}

TEST(FutexPi, An_owner_that_ends_leaves_it_marked) {
  Word word{0};
  std::atomic<bool> locked{false};
  std::thread owner([&] {
    EXPECT_THAT(futex(word, FUTEX_LOCK_PI, 0), SucceedsWith(0));
    locked = true;
    while ((word.load() & FUTEX_WAITERS) == 0) {
      ::sched_yield();
    }
  });
  while (!locked) {
    ::sched_yield();
  }
  EXPECT_THAT(futex(word, FUTEX_LOCK_PI, 0), SucceedsWith(0));
  EXPECT_EQ(word.load() & (FUTEX_TID_MASK | FUTEX_OWNER_DIED), tid() | FUTEX_OWNER_DIED);
  owner.join();
}

TEST(FutexPi, A_waiter_is_requeued_to_be_the_owner) {
  Word word{0};
  Word lock{0};
  std::atomic<std::uint32_t> other{0};
  std::thread waiter([&] {
    other = tid();
    EXPECT_THAT(futex(word, FUTEX_WAIT_REQUEUE_PI_PRIVATE, 0, nullptr, &lock), SucceedsWith(0));
    EXPECT_EQ(lock.load() & FUTEX_TID_MASK, tid());
    EXPECT_THAT(futex(lock, FUTEX_UNLOCK_PI_PRIVATE, 0), SucceedsWith(0));
  });
  while (futex_counts(word, FUTEX_CMP_REQUEUE_PI_PRIVATE, 1, 0, lock, 0) != 1) {
    ::sched_yield();
  }
  waiter.join();
  EXPECT_EQ(lock.load(), 0U);
}

struct Waitv {
  std::uint64_t value, address;
  std::uint32_t flags, reserved;
};
constexpr long kWaitv = 449;

TEST(FutexWaitv, Wakes_by_any_of_its_words) {
  std::array<Word, 2> words{};
  std::array<Waitv, 2> list{};
  for (std::size_t i = 0; i < 2; ++i) {
    list[i] = {0, reinterpret_cast<std::uint64_t>(&words[i]), 2 | FUTEX_PRIVATE_FLAG, 0};
  }
  std::thread waker([&] {
    while (futex(words[1], FUTEX_WAKE_PRIVATE, 1) != 1) {
      ::sched_yield();
    }
  });
  EXPECT_THAT(::syscall(kWaitv, list.data(), 2, 0, nullptr, CLOCK_MONOTONIC), SucceedsWith(1));
  waker.join();
  words[0] = 1;
  EXPECT_THAT(::syscall(kWaitv, list.data(), 2, 0, nullptr, CLOCK_MONOTONIC), FailsWith(EAGAIN));
  EXPECT_THAT(::syscall(kWaitv, list.data(), 0, 0, nullptr, CLOCK_MONOTONIC), FailsWith(EINVAL));
  EXPECT_THAT(::syscall(kWaitv, list.data(), 2, 1, nullptr, CLOCK_MONOTONIC), FailsWith(EINVAL));
  list[0].flags = 0;
  EXPECT_THAT(::syscall(kWaitv, list.data(), 2, 0, nullptr, CLOCK_MONOTONIC), FailsWith(EINVAL));
}

}  // namespace
