// SPDX-License-Identifier: Apache-2.0
// A guest on an upstream kernel, as shim sees it. What ends it, whatever happens: the death of its
// process, which a pidfd tells.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "runhl/vmm/machine.h"
#include "runhl/vmm/upstream/guest_channel.h"
#include "upstream/guest_process.h"

namespace runhl::vmm::upstream {

class UpstreamMachine final : public Machine {
 public:
  UpstreamMachine(GuestProcess process, GuestChannel channel, Isolation isolation)
      : process_(std::move(process)), channel_(std::move(channel)), isolation_(isolation) {}
  UpstreamMachine(const UpstreamMachine&) = delete;
  UpstreamMachine& operator=(const UpstreamMachine&) = delete;
  UpstreamMachine(UpstreamMachine&&) = delete;
  UpstreamMachine& operator=(UpstreamMachine&&) = delete;
  ~UpstreamMachine() override;

  [[nodiscard]] Capabilities capabilities() const override;
  Result<void> boot(EventLoop& loop, std::function<void(Result<void>)> on_ready,
                    std::function<void(Exit)> on_exit) override;
  Result<void> start(std::function<void(Result<void>)> on_started) override;
  Result<void> signal(int number, SignalTarget target) override;
  [[nodiscard]] Stats stats() const override { return {}; }
  [[nodiscard]] std::vector<int> host_pids() const override;

  /// Before boot().
  GuestChannel& channel() { return channel_; }

 private:
  enum class Phase : std::uint8_t { Created, Booting, Ready, Ended };

  void tell(Step step);
  void on_channel();
  void on_message(const Message& message);
  void on_death();
  void close_channel();
  [[nodiscard]] Exit exit() const;
  [[nodiscard]] std::string how_it_ended() const;

  GuestProcess process_;
  GuestChannel channel_;
  Isolation isolation_;
  EventLoop* loop_ = nullptr;
  std::function<void(Result<void>)> on_ready_;
  std::function<void(Exit)> on_exit_;
  Phase phase_ = Phase::Created;
  bool start_ordered_ = false;  // before the kernel was told to boot
  int ended_by_ = 0;            // the signal that was asked for
  std::optional<Message> last_word_;
};

}  // namespace runhl::vmm::upstream
