// SPDX-License-Identifier: Apache-2.0
// Signals for who does not wait: F_SETOWN, F_SETSIG, O_ASYNC. An open file that somebody asked
// signals of has one; while O_ASYNC is set it observes the file's readiness.
//
// Readiness is told under a lock above those of signals. So the news is noted there, and the signal
// sent by whoever next leaves the kernel or has nothing to run.
#pragma once

#include <boost/intrusive/list.hpp>
#include <cstdint>

#include "fs/file.h"
#include "fs/poll_source.h"
#include "proc/pid.h"

namespace runhl::kernel {

/// Whom a file's signals are for, and what those who asked for them may do.
struct SignalOwner {
  enum class Kind : std::uint8_t { Nobody, Thread, Process, Group } kind = Kind::Nobody;
  Ref<Pid> id;
  std::uint32_t uid = 0, euid = 0;
};

class AsyncNotice final : public PollObserver, public boost::intrusive::list_base_hook<> {
 public:
  AsyncNotice() = default;
  AsyncNotice(const AsyncNotice&) = delete;
  AsyncNotice& operator=(const AsyncNotice&) = delete;
  ~AsyncNotice() override;
  bool on_event(std::uint32_t events) override;

  // Each takes the readiness lock.
  void set_owner(SignalOwner owner);
  [[nodiscard]] SignalOwner owner() const;
  void set_signal(int number);
  [[nodiscard]] int signal() const;
  /// O_ASYNC, set through descriptor `fd`.
  void start(File& file, PollSource& source, int fd);
  void stop();

 private:
  friend void send_async_notices();
  // Guarded by the readiness lock.
  SignalOwner owner_;
  int signal_ = 0;  // 0: SIGIO, without details
  int fd_ = -1;
  std::uint32_t news_ = 0;  // POLL* since the last signal
};

/// The file's own, made if it has none. ENOMEM.
Result<AsyncNotice*> async_notice_of(File& file);
/// The file's end.
void drop_async_notice(AsyncNotice* notice);
/// Sends what was noted; no lock is held.
void send_async_notices();

}  // namespace runhl::kernel
