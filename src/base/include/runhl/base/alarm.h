// SPDX-License-Identifier: Apache-2.0
// Does something when a time is over, in a thread of its own, unless the object has gone before.
//
//   const Alarm alarm(std::chrono::seconds(5), [&] { guest.stop(); });
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <stop_token>
#include <thread>
#include <utility>

namespace runhl {

class Alarm {
 public:
  Alarm(std::chrono::milliseconds time, std::function<void()> act)
      : thread_([this, time, act = std::move(act)](const std::stop_token& ended) {
          std::unique_lock lock(mutex_);
          // Nobody notifies: only the end or the time wakes it.
          (void)changed_.wait_for(lock, ended, time, [&ended] { return ended.stop_requested(); });
          if (!ended.stop_requested()) {
            act();
          }
        }) {}

 private:
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::jthread thread_;  // last: joined before the others go
};

}  // namespace runhl
