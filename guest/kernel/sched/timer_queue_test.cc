// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <vector>

#include "sched/timers.h"

namespace runhl::kernel {
namespace {

std::vector<Nanoseconds>* g_fired = nullptr;
void record(Timer& timer) {
  g_fired->push_back(timer.deadline);
}

class TimerQueueTest : public testing::Test {
 protected:
  TimerQueueTest() { g_fired = &fired_; }
  void TearDown() override {
    for (Timer& timer : timers_) {
      queue_.cancel(timer);
    }
  }

  TimerQueue queue_;
  std::vector<Timer> timers_{4};
  std::vector<Nanoseconds> fired_;
};

TEST_F(TimerQueueTest, Fires_what_is_due_in_order) {
  const Nanoseconds deadlines[] = {30, 10, 20, 40};
  for (std::size_t i = 0; i < timers_.size(); ++i) {
    timers_[i].fire = &record;
    queue_.set(timers_[i], deadlines[i]);
  }
  EXPECT_EQ(queue_.nearest(), 10);
  queue_.expire(30);
  EXPECT_EQ(fired_, (std::vector<Nanoseconds>{10, 20, 30}));
  EXPECT_EQ(queue_.nearest(), 40);
}

TEST_F(TimerQueueTest, Says_which_one_is_the_nearest) {
  EXPECT_EQ(queue_.nearest(), kNoDeadline);
  EXPECT_TRUE(queue_.set(timers_[0], 20));
  EXPECT_FALSE(queue_.set(timers_[1], 30));
  EXPECT_TRUE(queue_.set(timers_[1], 10));  // set again: moved
  EXPECT_EQ(queue_.nearest(), 10);
}

TEST_F(TimerQueueTest, A_cancelled_timer_does_not_fire) {
  timers_[0].fire = &record;
  queue_.set(timers_[0], 10);
  EXPECT_TRUE(queue_.cancel(timers_[0]));
  EXPECT_FALSE(queue_.cancel(timers_[0]));
  queue_.expire(100);
  EXPECT_TRUE(fired_.empty());
}

}  // namespace
}  // namespace runhl::kernel
