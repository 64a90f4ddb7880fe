// SPDX-License-Identifier: Apache-2.0
// A terminal: a line discipline, the characters on their way to the screen, and who may use it. Its
// program side is a TtyFile; what is on the other side of the cable takes the far half.
//
//   program ── read, write, ioctl ── Tty ── type, take_screen ── far side (fs/tty/pty.h)
//
// Whoever waits looks at change counts and poll states alone, never at what the lock guards.
#pragma once

#include <asm/termios.h>

#include <array>
#include <atomic>
#include <cstdint>

#include "core/result.h"
#include "core/user_memory.h"
#include "fs/file.h"
#include "fs/io_buffer.h"
#include "fs/poll_source.h"
#include "fs/tty/line_discipline.h"
#include "mm/ref.h"
#include "sched/locks.h"
#include "sched/wait.h"

namespace runhl::kernel {

struct TtyOwner {
  std::uint32_t uid = 0, gid = 0, mode = 0600;
};

class Tty final : public RefCounted<Tty>, LineHost {
 public:
  static constexpr std::size_t kScreenSize = 8192;

  explicit Tty(std::uint32_t index) : index_(index), line_(*this) {}
  Tty(const Tty&) = delete;
  Tty& operator=(const Tty&) = delete;
  ~Tty() = default;

  /// N of /dev/pts/N.
  [[nodiscard]] std::uint32_t index() const { return index_; }

  // ---- the program's side ----
  Result<std::size_t> read(IoBuffer& buffer, Blocking blocking);
  Result<std::size_t> write(IoBuffer& buffer, Blocking blocking);
  /// What terminals of all kinds know. `far`: asked from the other side of the cable.
  Result<std::uint64_t> ioctl(std::uint32_t command, UserAddress argument, bool far);
  [[nodiscard]] std::uint32_t poll_state() const { return near_poll_.load(); }

  // ---- the far side ----
  /// What the program wrote; 0 with packet mode off: nothing is there and nobody will write.
  Result<std::size_t> take_screen(IoBuffer& buffer, Blocking blocking);
  Result<std::size_t> type(IoBuffer& buffer, Blocking blocking);
  [[nodiscard]] std::uint32_t far_poll_state() const { return far_poll_.load(); }
  [[nodiscard]] std::size_t screen_used();
  void set_packet_mode(bool on);
  [[nodiscard]] bool packet_mode() const { return packet_mode_.load(); }
  /// The far side is gone: reads end, writes fail, the session is told.
  void hang_up();
  [[nodiscard]] bool hung_up() const { return hung_up_.load(); }

  /// Opens and closes of the program's side. EIO: locked or hung up, EBUSY: exclusive.
  Result<void> note_open();
  void note_close();
  void set_locked(bool locked) { locked_.store(locked); }
  [[nodiscard]] bool locked() const { return locked_.load(); }

  /// Of the device node.
  [[nodiscard]] TtyOwner owner() const {
    return {.uid = uid_.load(), .gid = gid_.load(), .mode = mode_.load()};
  }
  void set_owner(const TtyOwner& owner) {
    uid_.store(owner.uid);
    gid_.store(owner.gid);
    mode_.store(owner.mode);
  }

  PollSource& poll_source() { return near_source_; }
  PollSource& far_poll_source() { return far_source_; }

  // ---- job control (fs/tty/job_control.h) ----
  /// Numbers of the session that it controls and of its foreground group; 0: none.
  std::atomic<std::int32_t> session{0}, foreground{0};

 private:
  // LineHost; called with lock_ held.
  [[nodiscard]] std::size_t output_room() const override { return kScreenSize - screen_count_; }
  void put_output(char c) override;
  void signal(int number) override;
  void flush_output() override;

  void publish();
  Result<void> wait_for_change(std::uint32_t seen, Nanoseconds deadline);
  Result<std::size_t> read_canonical(IoBuffer& buffer, Blocking blocking);
  Result<std::size_t> read_raw(IoBuffer& buffer, Blocking blocking);
  std::size_t take_input(IoBuffer& buffer, std::array<char, LineDiscipline::kBufferSize>& room,
                         Result<void>& fault);
  Result<std::size_t> take_packet_status(IoBuffer& buffer);

  Result<std::uint64_t> get_termios(std::uint32_t command, UserAddress argument);
  Result<std::uint64_t> set_termios(std::uint32_t command, UserAddress argument);
  Result<std::uint64_t> set_window(UserAddress argument);
  Result<std::uint64_t> flush(std::uint64_t which);
  Result<std::uint64_t> flow(std::uint64_t action);
  Result<std::uint64_t> count(std::uint32_t command, UserAddress argument);

  const std::uint32_t index_;
  Mutex lock_{LockRank::Inode};
  LineDiscipline line_;  // guarded by lock_, as are:
  std::array<char, kScreenSize> screen_{};
  std::size_t screen_start_ = 0, screen_count_ = 0;
  winsize window_{};
  std::uint32_t packet_status_ = 0;  // TIOCPKT_*
  std::uint32_t opens_ = 0;
  bool was_opened_ = false;
  bool exclusive_ = false;
  std::atomic<std::uint32_t> uid_{0}, gid_{0}, mode_{0600};
  std::atomic<bool> locked_{true}, hung_up_{false}, packet_mode_{false};
  std::atomic<std::uint32_t> changes_{0}, near_poll_{0}, far_poll_{0};
  WaitQueue queue_;
  PollSource near_source_, far_source_;
};

}  // namespace runhl::kernel
