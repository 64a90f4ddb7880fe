// SPDX-License-Identifier: Apache-2.0
// timerfd: expiries that are read, counted and waited for.
//
// As on Linux an interval timer rests after its first expiry until somebody looks: the ones in
// between are counted then, so an unread timer costs nothing.
#pragma once

#include <cstdint>

#include "fs/file.h"
#include "sched/timers.h"

namespace runhl::kernel {

struct TimerFileSetting {
  Nanoseconds interval = 0;
  Nanoseconds value = 0;  // 0: disarmed
};

/// What the timer queue knows; while armed it holds a reference.
class FileTimer final : public RefCounted<FileTimer> {
 public:
  explicit FileTimer(int clock) : clock_(clock) {}

  enum class Start : bool { Relative, Absolute };
  /// The setting before.
  TimerFileSetting set(const TimerFileSetting& fresh, Start start);
  TimerFileSetting get();
  /// Expiries since the last call; 0: none.
  std::uint64_t take_expiries();
  bool expired();
  WaitQueue& queue() { return queue_; }
  PollSource& source() { return source_; }

 private:
  /// In the kernel's queue; knows whose it is.
  struct QueuedTimer : Timer {
    explicit QueuedTimer(FileTimer& of) : owner(of) { fire = &on_fire; }
    FileTimer& owner;
  };
  static void on_fire(Timer& timer);
  [[nodiscard]] Nanoseconds clock_now() const;
  void arm_locked(Nanoseconds deadline);
  /// True: it has expired.
  bool expire();
  void catch_up_locked();
  [[nodiscard]] TimerFileSetting setting_locked() const;

  const int clock_;
  SpinLock lock_{LockRank::Pipe};
  QueuedTimer timer_{*this};
  bool armed_ = false;        // guarded by lock_, as are:
  Nanoseconds deadline_ = 0;  // on the timer's own clock
  Nanoseconds interval_ = 0;
  bool resting_ = false;  // expired and not re-armed yet
  std::uint64_t expiries_ = 0;
  WaitQueue queue_;
  PollSource source_;
};

class TimerFile final : public File {
 public:
  TimerFile(Ref<FileTimer> timer, std::uint32_t flags) : File(flags), timer_(std::move(timer)) {}
  TimerFile(const TimerFile&) = delete;
  TimerFile& operator=(const TimerFile&) = delete;
  ~TimerFile() override;

  Result<std::size_t> read(IoBuffer& buffer) override;
  Result<std::size_t> write(IoBuffer& /*buffer*/) override { return fail(EINVAL); }
  Result<abi::FileAttr> attributes() override;
  std::uint32_t poll_state() override;
  /// As Linux's: no error and no effect.
  Result<std::uint64_t> seek(std::int64_t /*offset*/, int /*whence*/) override { return 0; }
  PollSource* poll_source() override { return &timer_->source(); }
  [[nodiscard]] std::string_view anonymous_name() const override { return "[timerfd]"; }
  FileTimer* as_timer() override { return timer_.get(); }

 private:
  Ref<FileTimer> timer_;
};

}  // namespace runhl::kernel
