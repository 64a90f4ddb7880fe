// SPDX-License-Identifier: Apache-2.0
#include "fs/objects/timer_file.h"

#include <poll.h>

#include <algorithm>
#include <ctime>

#include "fs/anonymous_attr.h"
#include "host/clock.h"

namespace runhl::kernel {

Nanoseconds FileTimer::clock_now() const {
  switch (clock_) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_ALARM:
      return realtime_now();
    case CLOCK_BOOTTIME:
    case CLOCK_BOOTTIME_ALARM: {
      const Result<__kernel_timespec> now = clock_read(CLOCK_BOOTTIME);
      return now ? to_nanoseconds(*now) : monotonic_now();
    }
    default:
      return monotonic_now();
  }
}

/// The queue runs on CLOCK_MONOTONIC: a wall clock set back meanwhile is noticed at the expiry.
/// A timer in the queue, or taken out of it to be fired, holds one reference.
void FileTimer::arm_locked(Nanoseconds deadline) {
  deadline_ = deadline;
  armed_ = true;
  if (!timer_cancel(timer_)) {
    intrusive_ptr_add_ref(this);
  }
  timer_set(timer_, monotonic_now() + std::max<Nanoseconds>(deadline - clock_now(), 0));
}

bool FileTimer::expire() {
  const SpinLock::Guard guard(lock_);
  if (!armed_) {
    return false;  // disarmed while it was about to fire
  }
  if (clock_now() < deadline_) {
    arm_locked(deadline_);
    return false;
  }
  armed_ = false;
  resting_ = true;
  ++expiries_;
  return true;
}

void FileTimer::on_fire(Timer& timer) {
  FileTimer& self = static_cast<QueuedTimer&>(timer).owner;
  if (self.expire()) {
    wake_all(self.queue_);
    self.source_.notify(POLLIN | POLLRDNORM);
  }
  intrusive_ptr_release(&self);
}

/// Counts what an interval timer would have done since its expiry, and starts it again.
void FileTimer::catch_up_locked() {
  if (!resting_ || interval_ == 0) {
    return;
  }
  const Nanoseconds late = std::max<Nanoseconds>(clock_now() - deadline_, 0);
  const Nanoseconds missed = late / interval_;
  expiries_ += static_cast<std::uint64_t>(missed);
  resting_ = false;
  arm_locked(deadline_ + (missed + 1) * interval_);
}

TimerFileSetting FileTimer::setting_locked() const {
  if (!armed_) {
    return {.interval = interval_, .value = 0};
  }
  // One that is due but has not fired counts as about to.
  return {.interval = interval_, .value = std::max<Nanoseconds>(deadline_ - clock_now(), 1)};
}

TimerFileSetting FileTimer::set(const TimerFileSetting& fresh, Start start) {
  bool left_queue = false;
  TimerFileSetting old;
  {
    const SpinLock::Guard guard(lock_);
    catch_up_locked();
    old = setting_locked();
    interval_ = fresh.interval;
    expiries_ = 0;
    resting_ = armed_ = false;
    if (fresh.value != 0) {
      arm_locked(start == Start::Absolute ? fresh.value : clock_now() + fresh.value);
    } else {
      left_queue = timer_cancel(timer_);
    }
  }
  if (left_queue) {
    intrusive_ptr_release(this);
  }
  return old;
}

TimerFileSetting FileTimer::get() {
  const SpinLock::Guard guard(lock_);
  catch_up_locked();
  return setting_locked();
}

std::uint64_t FileTimer::take_expiries() {
  const SpinLock::Guard guard(lock_);
  if (expiries_ == 0) {
    return 0;
  }
  catch_up_locked();
  resting_ = false;
  return std::exchange(expiries_, 0);
}

bool FileTimer::expired() {
  const SpinLock::Guard guard(lock_);
  return expiries_ != 0;
}

TimerFile::~TimerFile() {
  (void)timer_->set({}, FileTimer::Start::Relative);  // its old setting is nobody's
}

Result<std::size_t> TimerFile::read(IoBuffer& buffer) {
  if (buffer.remaining() < sizeof(std::uint64_t)) {
    return fail(EINVAL);
  }
  std::uint64_t expiries = timer_->take_expiries();
  if (expiries == 0) {
    if (nonblocking()) {
      return fail(EAGAIN);
    }
    TRY(wait(
        timer_->queue(),
        [&] {
          expiries = timer_->take_expiries();
          return expiries != 0;
        },
        kNoDeadline, Interruptible::Yes));
  }
  return TRY(buffer.put(&expiries, sizeof(expiries))) == sizeof(expiries)
             ? Result<std::size_t>(sizeof(expiries))
             : fail(EFAULT);
}

Result<abi::FileAttr> TimerFile::attributes() {
  return anonymous_attr();
}

std::uint32_t TimerFile::poll_state() {
  return timer_->expired() ? std::uint32_t{POLLIN | POLLRDNORM} : 0U;
}

}  // namespace runhl::kernel
