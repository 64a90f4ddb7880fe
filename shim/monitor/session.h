// SPDX-License-Identifier: Apache-2.0
// The monitor's main thread once everything is set up: it waits.
//
//   booting --on_ready--> ready --Commit--> created --Start--> started --on_exit--> ended
//                                                  (behind the start hooks)
//      |  |                 |                  |                ^ |
//      |  +--on_ready (StartMode::AtOnce)-------------------------+ |
//      | Failed to verb     | end of channel   +-- on_exit ---------+--> ended
//      v                    v
//    exit 1               exit 1 (the verb died: nothing was promised)
#pragma once

#include <chrono>
#include <csignal>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "lifecycle/setup_channel.h"
#include "runhl/base/event_loop.h"
#include "runhl/shim/cgroup.h"
#include "runhl/shim/control.h"
#include "runhl/vmm/machine.h"

namespace runhl::shim {

enum class StartMode : std::uint8_t { ByOrder, AtOnce };

struct SessionParts {
  StartMode start = StartMode::ByOrder;
  std::unique_ptr<EventLoop> loop;  ///< first: outlives the machine
  std::unique_ptr<vmm::Machine> machine;
  SetupChannel channel;
  UniqueFd control_listener;
  UniqueFd exit_file;  ///< written in place: the state directory is out of sight by now
  UniqueFd
      signals;  ///< a signalfd: what is sent to this pid is meant for the container; may be none
  UniqueFd cell_uid_lock;  ///< held for the guest's life; may be none
  UniqueFd report;  ///< where a kernel's last words go when there is no log file; may be none
  Thaw thaw;        ///< for SIGKILL; may be none
  OomWatch oom;     ///< of the container's control group; may be none
  std::function<void()> when_settled;  ///< called once the guest has run for a while; may be none
};

class Session {
 public:
  explicit Session(SessionParts parts)
      : parts_(std::move(parts)), loop_(*parts_.loop), settled_at_(Clock::now() + kSettling) {}

  /// Until the end; the process's exit code.
  int run();
  /// The guest is gone, its streams are closed and its end is told: the process may just exit.
  [[nodiscard]] bool finished() const { return finished_; }

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::milliseconds kSettling{200};
  enum class Phase : std::uint8_t { Booting, Ready, Created, Started, Abandoned };

  Result<void> watch();
  void on_ready(const Result<void>& result);
  void tell_started();
  void on_exit(vmm::Exit exit);
  void on_channel();
  void close_channel();
  void on_signal();
  void on_oom();
  void on_request(const ControlRequest& request, const ControlServer::Reply& reply);
  void start(const ControlServer::Reply& reply);
  [[nodiscard]] Result<void> check_startable() const;
  void on_started();
  Result<void> signal(int number, vmm::SignalTarget target);
  [[nodiscard]] int patience_ms() const;
  void settle();
  void write_progress(std::string_view line);
  void explain_death();
  int finish();

  SessionParts parts_;
  EventLoop& loop_;
  std::unique_ptr<ControlServer> control_;
  Clock::time_point settled_at_;
  Phase phase_ = Phase::Booting;
  std::optional<vmm::Exit> exit_;
  bool start_ordered_ = false;
  bool told_of_oom_ = false;
  bool finished_ = false;
};

/// All signals that a monitor passes on, blocked in this process.
Result<UniqueFd> block_and_collect_signals();

}  // namespace runhl::shim
