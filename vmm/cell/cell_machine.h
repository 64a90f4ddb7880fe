// SPDX-License-Identifier: Apache-2.0
// A guest in cells, as shim sees it: joins the launcher's result with streams, rings and files.
//
// The main thread owns it; files have a thread for what is answered at once (notify_server.h) and
// others for what may wait (file_pool.h). What ends it, whatever happens: cell 0's death, which its
// pidfd tells.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "cell/file_pool.h"
#include "cell/launcher.h"
#include "cell/notify_server.h"
#include "cell/ring_server.h"
#include "console/streams.h"
#include "runhl/vmm/machine.h"

namespace runhl::vmm::cell {

class CellMachine final : public Machine {
 public:
  enum class StartHooks : bool { No, Yes };
  CellMachine(LaunchedCell cell, std::unique_ptr<console::Streams> streams,
              std::shared_ptr<fs::FileService> files, std::string_view symbols, StartHooks hooks);
  CellMachine(const CellMachine&) = delete;
  CellMachine& operator=(const CellMachine&) = delete;
  CellMachine(CellMachine&&) = delete;
  CellMachine& operator=(CellMachine&&) = delete;
  ~CellMachine() override;

  [[nodiscard]] Capabilities capabilities() const override;
  Result<void> boot(EventLoop& loop, std::function<void(Result<void>)> on_ready,
                    std::function<void(Exit)> on_exit) override;
  Result<void> start(std::function<void(Result<void>)> on_started) override;
  Result<void> signal(int number, SignalTarget target) override;
  [[nodiscard]] Stats stats() const override;
  [[nodiscard]] std::vector<int> host_pids() const override;

 private:
  enum class Phase { Created, Booting, Ready, Ended };

  void on_doorbell();
  void on_death();
  void on_entry(std::uint32_t ring, const abi::RingEntry& entry);
  /// True: one request more is unfinished; else it has been answered.
  bool admit(std::uint32_t ring, const abi::RingEntry& entry);
  void on_stream(const abi::RingEntry& entry);
  void on_file(std::uint32_t ring, const abi::RingEntry& entry);
  void on_log(std::uint32_t ring, const abi::RingEntry& entry);
  void on_boot_done(const abi::RingEntry& entry);
  void on_started(const abi::RingEntry& entry);
  /// What BootDone and Started say: 0, or an errno with the message for the user.
  [[nodiscard]] Result<void> outcome(const abi::RingEntry& entry) const;
  void on_panic(const abi::RingEntry& entry);
  [[nodiscard]] std::string text_of(const abi::RingEntry& entry, std::size_t limit) const;

  /// The guest has said that it ends.
  void await_end();
  void kill();
  /// Takes cell 0's status, and the thread with it. Once.
  void reap();
  void tell_end();
  [[nodiscard]] Exit exit_of_cell0() const;
  [[nodiscard]] std::string why_it_never_booted() const;

  LaunchedCell cell_;
  HostCallArea area_;
  RingServer rings_;
  std::unique_ptr<console::Streams> streams_;
  FilePool pool_;
  std::shared_ptr<NotifyServer> notify_;  // null: no listener, the pool has all requests
  std::string_view symbols_;              // of the executable
  StartHooks hooks_;

  EventLoop* loop_ = nullptr;
  std::function<void(Result<void>)> on_ready_;
  std::function<void(Result<void>)> on_started_;  // while the hooks run
  std::function<void(Exit)> on_exit_;
  Phase phase_ = Phase::Created;
  std::uint32_t unfinished_ = 0;  // requests on the ring, bounded
  bool reaped_ = false;
  int cell0_code_ = 0, cell0_signal_ = 0;
  int kill_signal_ = 0;       // SIGKILL asked for through signal()
  std::optional<Exit> exit_;  // what the guest said: Exit or Panic
};

}  // namespace runhl::vmm::cell
