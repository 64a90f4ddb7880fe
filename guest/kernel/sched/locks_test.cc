// SPDX-License-Identifier: Apache-2.0
#include "sched/locks.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "sched/lock_host.h"

namespace runhl::kernel {
namespace {

constexpr int kThreads = 4;
constexpr int kRounds = 5000;

template <typename Lock>
int count_under(Lock& lock) {
  int counter = 0;
  std::vector<std::jthread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < kRounds; ++round) {
        const typename Lock::Guard guard(lock);
        ++counter;
      }
    });
  }
  threads.clear();
  return counter;
}

TEST(Locks, SpinLock_excludes) {
  SpinLock lock(LockRank::Pipe);
  EXPECT_EQ(count_under(lock), kThreads * kRounds);
}

TEST(Locks, Mutex_excludes) {
  Mutex lock(LockRank::Mm);
  EXPECT_EQ(count_under(lock), kThreads * kRounds);
}

TEST(Locks, Kernel_lock_is_given_up_while_released) {
  const KernelLock::Guard guard;
  bool other_had_it = false;
  {
    const KernelLock::Release release;
    std::jthread([&] {
      const KernelLock::Guard inner;
      other_had_it = true;
    }).join();
  }
  EXPECT_TRUE(other_had_it);
  EXPECT_TRUE(*lock_host::kernel_lock_flag());
}

TEST(Locks, Ranks_ascend) {
  SpinLock low(LockRank::Pipe);
  SpinLock high(LockRank::RunQueue);
  {
    const SpinLock::Guard first(low);
    const SpinLock::Guard second(high);
  }
  const SpinLock::Guard first(high);
  EXPECT_ANY_THROW(SpinLock::Guard{low});
}

TEST(Locks, One_lock_is_not_taken_twice) {
  SpinLock lock(LockRank::Pipe);
  const SpinLock::Guard first(lock);
  EXPECT_ANY_THROW(SpinLock::Guard{lock});
}

TEST(Locks, Two_of_one_rank_go_by_address) {
  SpinLock locks[2] = {SpinLock(LockRank::Pipe), SpinLock(LockRank::Pipe)};
  {
    const SpinLock::Guard first(locks[0]);
    const SpinLock::Guard second(locks[1]);
  }
  const SpinLock::Guard second(locks[1]);
  EXPECT_ANY_THROW(SpinLock::Guard{locks[0]});
}

TEST(Locks, Kernel_lock_comes_before_all_others) {
  SpinLock lock(LockRank::Pipe);
  const SpinLock::Guard held(lock);
  EXPECT_ANY_THROW(KernelLock::Guard{});
}

TEST(LockTrace, Knows_spinlocks_from_sleeping_ones) {
  LockTrace trace;
  int a = 0;
  int b = 0;
  ASSERT_TRUE(trace.push(&a, LockRank::Mm, LockKind::Sleeping));
  EXPECT_FALSE(trace.holds_spinlock());
  ASSERT_TRUE(trace.push(&b, LockRank::Pipe, LockKind::Spin));
  EXPECT_TRUE(trace.holds_spinlock());
  EXPECT_TRUE(trace.pop(&a, LockKind::Sleeping));  // releases need not be in order
  EXPECT_TRUE(trace.pop(&b, LockKind::Spin));
  EXPECT_FALSE(trace.pop(&b, LockKind::Spin));
  EXPECT_TRUE(trace.empty());
}

}  // namespace
}  // namespace runhl::kernel
