// SPDX-License-Identifier: Apache-2.0
#include "fs/tty/tty.h"

#include <linux/capability.h>
#include <poll.h>

#include <algorithm>

#include "core/linux_signal.h"
#include "fs/tty/job_control.h"
#include "host/clock.h"
#include "mm/heap.h"
#include "proc/task.h"
#include "sched/long_work.h"

namespace runhl::kernel {
namespace {

constexpr std::uint32_t kIn = POLLIN | POLLRDNORM;
constexpr std::uint32_t kOut = POLLOUT | POLLWRNORM;

}  // namespace

// ---- the screen --------------------------------------------------------------------------------

void Tty::put_output(char c) {
  screen_[(screen_start_ + screen_count_) % kScreenSize] = c;
  ++screen_count_;
}

void Tty::flush_output() {
  screen_count_ = 0;
  packet_status_ |= TIOCPKT_FLUSHWRITE;
}

void Tty::signal(int number) {
  signal_foreground(*this, number);
}

/// Tells those who wait or poll what is true now. With lock_ held, after every change.
void Tty::publish() {
  std::uint32_t near = line_.readable(LineDiscipline::kBufferSize) ? kIn : 0;
  near |= screen_count_ < kScreenSize && !line_.stopped() ? kOut : 0;
  std::uint32_t far = screen_count_ != 0 ? kIn : 0;
  far |= line_.receive_room() != 0 ? kOut : 0;
  if (packet_mode_.load() && packet_status_ != 0) {
    far |= kIn | POLLPRI;
  }
  if (was_opened_ && opens_ == 0) {
    far |= POLLHUP;
  }
  if (hung_up_.load()) {
    near = kIn | kOut | POLLERR | POLLHUP;
  }
  near_poll_.store(near);
  far_poll_.store(far);
  changes_.fetch_add(1);
  wake_all(queue_);
  near_source_.notify(near);
  far_source_.notify(far);
}

Result<void> Tty::wait_for_change(std::uint32_t seen, Nanoseconds deadline) {
  return wait(
      queue_, [this, seen] { return changes_.load() != seen; }, deadline, Interruptible::Yes);
}

// ---- the program's side ------------------------------------------------------------------------

/// One take from the line discipline into the program's buffer. With lock_ held.
std::size_t Tty::take_input(IoBuffer& buffer, std::array<char, LineDiscipline::kBufferSize>& room,
                            Result<void>& fault) {
  const std::span<char> part = std::span(room).first(std::min(room.size(), buffer.remaining()));
  const std::size_t taken = line_.take(part);
  publish();
  if (taken == 0) {
    return 0;
  }
  const Result<std::size_t> moved = buffer.put(part.data(), taken);
  if (!moved) {
    fault = tl::unexpected(moved.error());
    return 0;
  }
  return *moved;
}

Result<std::size_t> Tty::read_canonical(IoBuffer& buffer, Blocking blocking) {
  const auto room = TRY(make<std::array<char, LineDiscipline::kBufferSize>>());
  for (;;) {
    std::uint32_t seen = 0;
    {
      const Mutex::Guard guard(lock_);
      seen = changes_.load();
      if (hung_up()) {
        return 0;
      }
      if (!line_.canonical() || line_.readable(1)) {
        Result<void> fault;
        const std::size_t taken = take_input(buffer, *room, fault);
        return fault ? Result<std::size_t>(taken) : tl::unexpected(fault.error());
      }
    }
    if (blocking == Blocking::No) {
      return fail(EAGAIN);
    }
    TRY(wait_for_change(seen, kNoDeadline));
  }
}

Result<std::size_t> Tty::read_raw(IoBuffer& buffer, Blocking blocking) {
  constexpr Nanoseconds kTenth = kNanosPerSecond / 10;
  const auto room = TRY(make<std::array<char, LineDiscipline::kBufferSize>>());
  Nanoseconds deadline = kNoDeadline;
  std::size_t done = 0;
  for (;;) {
    std::uint32_t seen = 0;
    {
      const Mutex::Guard guard(lock_);
      const cc_t* const control = line_.termios().c_cc;
      const std::size_t minimum = control[VMIN];
      const Nanoseconds interval = control[VTIME] * kTenth;
      Result<void> fault;
      const std::size_t taken = hung_up() ? 0 : take_input(buffer, *room, fault);
      if (!fault) {
        return done != 0 ? Result<std::size_t>(done) : tl::unexpected(fault.error());
      }
      done += taken;
      if (buffer.full() || hung_up() || (done != 0 && done >= minimum) ||
          (minimum == 0 && interval == 0)) {
        return done;
      }
      // Between characters the clock starts anew; without a minimum it runs from the beginning.
      if (interval != 0 && (taken != 0 || (minimum == 0 && deadline == kNoDeadline))) {
        deadline = monotonic_now() + interval;
      }
      seen = changes_.load();
    }
    if (blocking == Blocking::No) {
      return done != 0 ? Result<std::size_t>(done) : fail(EAGAIN);
    }
    const Result<void> slept = wait_for_change(seen, deadline);
    if (!slept) {
      const bool expired = to_int(slept.error()) == ETIMEDOUT;
      return expired || done != 0 ? Result<std::size_t>(done) : tl::unexpected(slept.error());
    }
  }
}

Result<std::size_t> Tty::read(IoBuffer& buffer, Blocking blocking) {
  if (hung_up()) {
    return 0;
  }
  TRY(check_background(*this, SIGTTIN));
  if (buffer.full()) {
    return 0;
  }
  bool canonical = false;
  {
    const Mutex::Guard guard(lock_);
    canonical = line_.canonical();
  }
  return canonical ? read_canonical(buffer, blocking) : read_raw(buffer, blocking);
}

Result<std::size_t> Tty::write(IoBuffer& buffer, Blocking blocking) {
  bool stops_background = false;
  {
    const Mutex::Guard guard(lock_);
    stops_background = (line_.termios().c_lflag & TOSTOP) != 0;
  }
  if (hung_up()) {
    return fail(EIO);
  }
  if (stops_background) {
    TRY(check_background(*this, SIGTTOU));
  }
  std::array<char, 256> part;
  std::size_t done = 0;
  while (!buffer.full()) {
    std::uint32_t seen = 0;
    bool all = false;
    {
      const Mutex::Guard guard(lock_);
      if (hung_up()) {
        return done != 0 ? Result<std::size_t>(done) : fail(EIO);
      }
      const Result<std::size_t> taken = buffer.take(part.data(), part.size());
      if (!taken) {
        return done != 0 ? Result<std::size_t>(done) : taken;
      }
      const std::size_t written = line_.write_output(std::span(part).first(*taken));
      buffer.untake(*taken - written);
      done += written;
      publish();
      seen = changes_.load();
      all = written == *taken;
    }
    if (!all && blocking == Blocking::No) {
      return done != 0 ? Result<std::size_t>(done) : fail(EAGAIN);
    }
    const Result<void> goes_on = all ? take_breath() : wait_for_change(seen, kNoDeadline);
    if (!goes_on) {
      return done != 0 ? Result<std::size_t>(done) : tl::unexpected(goes_on.error());
    }
  }
  return done;
}

Result<void> Tty::note_open() {
  const Mutex::Guard guard(lock_);
  if (locked() || hung_up()) {
    return fail(EIO);
  }
  if (exclusive_ && !current().credentials.has(CAP_SYS_ADMIN)) {
    return fail(EBUSY);
  }
  ++opens_;
  was_opened_ = true;
  publish();
  return {};
}

void Tty::note_close() {
  const Mutex::Guard guard(lock_);
  if (--opens_ == 0) {
    exclusive_ = false;
  }
  publish();
}

// ---- the far side ------------------------------------------------------------------------------

std::size_t Tty::screen_used() {
  const Mutex::Guard guard(lock_);
  return screen_count_;
}

void Tty::set_packet_mode(bool on) {
  const Mutex::Guard guard(lock_);
  packet_mode_.store(on);
  packet_status_ = 0;
  publish();
}

/// Packet mode: a status byte instead of data. 0: there is none. With lock_ held.
Result<std::size_t> Tty::take_packet_status(IoBuffer& buffer) {
  if (!packet_mode() || packet_status_ == 0) {
    return 0;
  }
  const char status = static_cast<char>(packet_status_);
  TRY(buffer.put(&status, 1));
  packet_status_ = 0;
  publish();
  return 1;
}

Result<std::size_t> Tty::take_screen(IoBuffer& buffer, Blocking blocking) {
  if (buffer.full()) {
    return 0;
  }
  for (;;) {
    std::uint32_t seen = 0;
    {
      const Mutex::Guard guard(lock_);
      seen = changes_.load();
      if (const std::size_t status = TRY(take_packet_status(buffer)); status != 0) {
        return status;
      }
      if (screen_count_ != 0) {
        const char data = TIOCPKT_DATA;
        std::size_t done = packet_mode() ? TRY(buffer.put(&data, 1)) : 0;
        while (screen_count_ != 0 && !buffer.full()) {
          const std::size_t part = std::min(screen_count_, kScreenSize - screen_start_);
          const Result<std::size_t> moved = buffer.put(screen_.data() + screen_start_, part);
          if (!moved) {
            return done != 0 ? Result<std::size_t>(done) : moved;
          }
          screen_start_ = (screen_start_ + *moved) % kScreenSize;
          screen_count_ -= *moved;
          done += *moved;
        }
        publish();
        return done;
      }
      if (was_opened_ && opens_ == 0) {
        return fail(EIO);
      }
    }
    if (blocking == Blocking::No) {
      return fail(EAGAIN);
    }
    TRY(wait_for_change(seen, kNoDeadline));
  }
}

Result<std::size_t> Tty::type(IoBuffer& buffer, Blocking blocking) {
  std::array<char, 256> part;
  std::size_t done = 0;
  while (!buffer.full()) {
    std::uint32_t seen = 0;
    std::size_t room = 0;
    {
      const Mutex::Guard guard(lock_);
      room = std::min(line_.receive_room(), part.size());
      seen = changes_.load();
      if (room != 0) {
        const Result<std::size_t> taken = buffer.take(part.data(), room);
        if (!taken) {
          return done != 0 ? Result<std::size_t>(done) : taken;
        }
        line_.receive(std::span(part).first(*taken));
        done += *taken;
        publish();
      }
    }
    if (room == 0 && blocking == Blocking::No) {
      return done != 0 ? Result<std::size_t>(done) : fail(EAGAIN);
    }
    const Result<void> goes_on = room != 0 ? take_breath() : wait_for_change(seen, kNoDeadline);
    if (!goes_on) {
      return done != 0 ? Result<std::size_t>(done) : tl::unexpected(goes_on.error());
    }
  }
  return done;
}

void Tty::hang_up() {
  {
    const Mutex::Guard guard(lock_);
    hung_up_.store(true);
    publish();
  }
  end_session_of(*this);
}

}  // namespace runhl::kernel
