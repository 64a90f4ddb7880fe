// SPDX-License-Identifier: Apache-2.0
// A guest for tests: it boots as told, and every signal but SIGWINCH ends it.
#pragma once

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "runhl/vmm/machine.h"

namespace runhl::shim {

struct FakeScript {
  Result<void> boot_result;
  std::vector<int> signals;  ///< what arrived
  bool started = false;
  std::optional<Result<void>> start_result;  ///< of start hooks; none: there are none
  bool signalled_all = false;                ///< the last one
  bool exit_at_start = false;                ///< code 7
  std::string report;
};

class FakeMachine final : public vmm::Machine {
 public:
  explicit FakeMachine(FakeScript& script) : script_(script), event_(::eventfd(0, EFD_CLOEXEC)) {}

  [[nodiscard]] vmm::Capabilities capabilities() const override { return {}; }

  Result<void> boot(EventLoop& loop, std::function<void(Result<void>)> on_ready,
                    std::function<void(vmm::Exit)> on_exit) override {
    on_ready_ = std::move(on_ready);
    on_exit_ = std::move(on_exit);
    loop_ = &loop;
    TRY(loop.add(event_.get(), EPOLLIN, [this](std::uint32_t) { turn(); }));
    wake();
    return {};
  }
  Result<void> start(std::function<void(Result<void>)> on_started) override {
    script_.started = true;
    if (script_.start_result) {
      on_started_ = std::move(on_started);
      wake();
      return {};
    }
    on_started({});
    if (script_.exit_at_start) {
      exit_ = {.code = 7, .signal = 0, .report = script_.report};
      wake();
    }
    return {};
  }
  Result<void> signal(int number, vmm::SignalTarget target) override {
    script_.signalled_all = target == vmm::SignalTarget::All;
    script_.signals.push_back(number);
    if (number != SIGWINCH) {
      exit_ = {.code = 128 + number, .signal = number, .report = script_.report};
      wake();
    }
    return {};
  }
  [[nodiscard]] vmm::Stats stats() const override { return {}; }
  [[nodiscard]] std::vector<int> host_pids() const override { return {}; }

  ~FakeMachine() override {
    if (loop_ != nullptr) {
      loop_->remove(event_.get());
    }
  }
  FakeMachine(const FakeMachine&) = delete;
  FakeMachine& operator=(const FakeMachine&) = delete;
  FakeMachine(FakeMachine&&) = delete;
  FakeMachine& operator=(FakeMachine&&) = delete;

 private:
  void wake() const { (void)::eventfd_write(event_.get(), 1); }
  void turn() {
    eventfd_t value = 0;
    (void)::eventfd_read(event_.get(), &value);
    if (!std::exchange(booted_, true)) {
      on_ready_(script_.boot_result);
      if (exit_.code != 0) {
        wake();
      }
    } else if (on_started_) {
      const Result<void> result = *script_.start_result;
      std::exchange(on_started_, nullptr)(result);
      if (!result) {
        exit_ = {.code = 1, .signal = 0, .report = {}};
        wake();
      }
    } else if (exit_.code != 0) {
      on_exit_(std::exchange(exit_, {}));
    }
  }

  FakeScript& script_;
  UniqueFd event_;
  EventLoop* loop_ = nullptr;
  std::function<void(Result<void>)> on_ready_, on_started_;
  std::function<void(vmm::Exit)> on_exit_;
  bool booted_ = false;
  vmm::Exit exit_;
};

}  // namespace runhl::shim
