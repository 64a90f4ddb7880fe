// SPDX-License-Identifier: Apache-2.0
// The sleep primitive, mutexes, futexes and timers by many tasks at once; also under TSan.
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <atomic>

#include "hosted/scheduler_hosted.h"
#include "proc/task.h"
#include "sched/futex.h"
#include "sched/locks.h"
#include "sched/timers.h"
#include "sched/wait.h"

namespace runhl::kernel {
namespace {

constexpr std::uint64_t kSeeds = 8;
constexpr Nanoseconds kMicrosecond = 1000;

using Bodies = std::vector<std::function<void()>>;

class Parallel : public ::testing::TestWithParam<std::uint64_t> {
 protected:
  static void SetUpTestSuite() {
    static const bool made = futex_init().has_value() && timers_init().has_value();
    ASSERT_TRUE(made);
  }
  static void run(const Bodies& bodies) { hosted::run_tasks(GetParam(), bodies); }
};
INSTANTIATE_TEST_SUITE_P(Seeds, Parallel, ::testing::Range(std::uint64_t{1}, kSeeds + 1));

using Word = std::atomic<std::uint32_t>;

/// A futex word at an address that a program could have.
Word& user_word(std::size_t index) {
  static auto* const words = static_cast<Word*>(
      mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0));
  words[index] = 0;
  return words[index];
}

FutexWord word_of(Word& word) {
  return {reinterpret_cast<UserAddress>(&word), FutexScope::Private};
}

TEST_P(Parallel, A_wake_is_never_lost) {
  WaitQueue queue;
  std::atomic<int> turn{0};
  constexpr int kRounds = 300;
  const auto player = [&](int own) {
    for (int i = 0; i < kRounds; ++i) {
      ASSERT_TRUE(wait(queue, [&] { return turn.load() == own; }, kNoDeadline, Interruptible::No));
      turn = (own + 1) % 3;
      wake_all(queue);
    }
  };
  run({[&] { player(0); }, [&] { player(1); }, [&] { player(2); }});
  EXPECT_EQ(turn.load(), 0);
}

TEST_P(Parallel, A_mutex_excludes) {
  Mutex mutex(LockRank::Inode);
  int count = 0;
  constexpr int kRounds = 100;
  run(Bodies(8, [&] {
    for (int i = 0; i < kRounds; ++i) {
      const Mutex::Guard guard(mutex);
      ++count;
    }
  }));
  EXPECT_EQ(count, 8 * kRounds);
}

TEST_P(Parallel, A_futex_lock_excludes) {
  Word& word = user_word(0);  // 0 free, 1 held, 2 held and waited for
  int count = 0;
  constexpr int kRounds = 200;
  run(Bodies(8, [&] {
    for (int i = 0; i < kRounds; ++i) {
      std::uint32_t free = 0;
      if (!word.compare_exchange_strong(free, 1)) {
        while (word.exchange(2) != 0) {
          const Result<void> waited = futex_wait({word_of(word), 2}, kNoDeadline);
          ASSERT_TRUE(waited || to_int(waited.error()) == EAGAIN);
        }
      }
      ++count;
      if (word.exchange(0) == 2) {
        (void)futex_wake(word_of(word), 1, kAnyBits);
      }
    }
  }));
  EXPECT_EQ(count, 8 * kRounds);
}

TEST_P(Parallel, A_requeue_loses_nobody) {
  Word& first = user_word(0);
  Word& second = user_word(1);
  std::atomic<int> woken{0};
  constexpr int kWaiters = 6;
  Bodies bodies(kWaiters, [&] {
    ASSERT_TRUE(futex_wait({word_of(first), 0}, kNoDeadline));
    ++woken;
  });
  bodies.emplace_back([&] {
    while (woken.load() < kWaiters) {
      ASSERT_TRUE(futex_requeue({word_of(first), word_of(second), 1, 2, std::nullopt}));
      std::this_thread::yield();
    }
  });
  bodies.emplace_back([&] {
    while (woken.load() < kWaiters) {
      ASSERT_TRUE(futex_wake(word_of(second), 1, kAnyBits));
      std::this_thread::yield();
    }
  });
  run(bodies);
  EXPECT_EQ(woken.load(), kWaiters);
}

TEST_P(Parallel, Wakes_and_timeouts_add_up) {
  Word& word = user_word(0);
  std::atomic<std::uint32_t> woken{0}, counted{0};
  std::atomic<int> left{6};
  Bodies bodies(6, [&] {
    for (int i = 0; i < 100; ++i) {
      const Nanoseconds deadline = monotonic_now() + (i % 4) * 20 * kMicrosecond;
      woken += futex_wait({word_of(word), 0}, deadline) ? 1U : 0U;
    }
    --left;
  });
  bodies.emplace_back([&] {
    while (left.load() != 0) {
      counted += *futex_wake(word_of(word), 2, kAnyBits);
      std::this_thread::yield();
    }
  });
  run(bodies);
  EXPECT_EQ(woken.load(), counted.load());
}

struct CountingTimer {
  Timer timer;
  std::atomic<int> fired{0};
};

TEST_P(Parallel, A_timer_fires_once_or_is_cancelled) {
  run(Bodies(4, [] {
    CountingTimer self;
    self.timer.fire = [](Timer& timer) { ++reinterpret_cast<CountingTimer&>(timer).fired; };
    for (int i = 0; i < 200; ++i) {
      const int before = self.fired.load();
      timer_set(self.timer, monotonic_now() + (i % 3) * 10 * kMicrosecond);
      std::this_thread::yield();
      const int cancelled = timer_cancel(self.timer) ? 1 : 0;
      while (self.fired.load() + cancelled == before) {  // it is firing just now
        std::this_thread::yield();
      }
      ASSERT_EQ(self.fired.load() + cancelled, before + 1);
    }
  }));
}

}  // namespace
}  // namespace runhl::kernel
