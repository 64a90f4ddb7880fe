// SPDX-License-Identifier: Apache-2.0
#include "upstream/upstream_machine.h"

#include <sys/epoll.h>
#include <sys/mman.h>

#include <csignal>
#include <utility>

#include "runhl/base/file_io.h"
#include "runhl/vmm/upstream/guest_plan.h"
#include "runhl/vmm/upstream/machine.h"

namespace runhl::vmm::upstream {
namespace {

constexpr int kSignalBase = 128;

Result<UniqueFd> plan_file(const GuestPlan& plan) {
  UniqueFd file(::memfd_create("runhl-guest-plan", MFD_CLOEXEC));
  if (!file) {
    return fail_errno("memory for the guest's plan");
  }
  TRY(write_all_at(file.get(), encode(plan), 0, "the guest's plan"));
  return file;
}

/// What the process said in place of what it should have said.
tl::unexpected<Error> failure_of(const Message& message) {
  return fail(message.step == Step::Failed ? message.code : ErrorCode::GuestFault,
              message.step == Step::Failed ? message.text : "the guest's process is out of step");
}

/// While it goes from one world into the other, so does its monitor.
Result<void> see_through(MachineSpec* spec, GuestChannel* channel) {
  const Message opened = TRY(channel->receive());
  if (opened.step != Step::Opened) {
    return failure_of(opened);
  }
  if (spec->before_cell_goes) {
    TRY(spec->before_cell_goes(*spec));
  }
  return spec->while_cell_prepares ? spec->while_cell_prepares(*spec) : Result<void>();
}

}  // namespace

SignalFate fate_of_signal(int number) {
  switch (number) {
    case SIGKILL:
    case SIGTERM:
    case SIGINT:
    case SIGQUIT:
    case SIGHUP:
    case SIGABRT:
      return SignalFate::Ends;
    case SIGCHLD:
    case SIGCONT:
    case SIGURG:
    case SIGWINCH:
      return SignalFate::Ignored;
    default:
      return SignalFate::Refused;
  }
}

UpstreamMachine::~UpstreamMachine() {
  if (loop_ != nullptr && phase_ != Phase::Ended) {
    close_channel();
    loop_->remove(process_.pidfd());
  }
}

Capabilities UpstreamMachine::capabilities() const {
  return {.isolation = isolation_, .pause = true, .writable_rootfs = true};
}

Result<void> UpstreamMachine::boot(EventLoop& loop, std::function<void(Result<void>)> on_ready,
                                   std::function<void(Exit)> on_exit) {
  if (phase_ != Phase::Created) {
    return fail(ErrorCode::WrongState, "the guest has booted already");
  }
  TRY(loop.add(process_.pidfd(), EPOLLIN, [this](std::uint32_t) { on_death(); }));
  auto added = loop.add(channel_.fd(), EPOLLIN, [this](std::uint32_t) { on_channel(); });
  if (!added) {
    loop.remove(process_.pidfd());
    return added;
  }
  loop_ = &loop;
  on_ready_ = std::move(on_ready);
  on_exit_ = std::move(on_exit);
  phase_ = Phase::Booting;
  tell(Step::Enter);
  if (start_ordered_) {
    tell(Step::Start);
  }
  return {};
}

/// A process that is gone does not hear it: its end says more.
void UpstreamMachine::tell(Step step) {
  (void)channel_.send({.step = step, .text = {}});
}

Result<void> UpstreamMachine::start(std::function<void(Result<void>)> on_started) {
  if (phase_ == Phase::Ended) {
    return fail(ErrorCode::WrongState, "the guest has ended");
  }
  if (phase_ == Phase::Created) {
    start_ordered_ = true;
  } else {
    tell(Step::Start);
  }
  on_started({});
  return {};
}

Result<void> UpstreamMachine::signal(int number, SignalTarget /*target*/) {
  if (phase_ == Phase::Ended) {
    return fail(ErrorCode::WrongState, "the guest has ended");
  }
  switch (fate_of_signal(number)) {
    case SignalFate::Ends:
      ended_by_ = number;
      process_.kill();
      return {};
    case SignalFate::Ignored:
      return {};
    case SignalFate::Refused:
      break;
  }
  return fail(ErrorCode::Unsupported, "signal " + std::to_string(number) +
                                          ": an upstream kernel has no way to hand one to its "
                                          "program; KILL, TERM, INT, QUIT, HUP and ABRT end it");
}

std::vector<int> UpstreamMachine::host_pids() const {
  return process_.reaped() ? std::vector<int>{} : std::vector<int>{process_.pid()};
}

void UpstreamMachine::close_channel() {
  if (channel_.fd() >= 0) {
    loop_->remove(channel_.fd());
    channel_.close();
  }
}

/// Its end is the process's, or a process that is not ours any more: then it is ended.
void UpstreamMachine::on_channel() {
  const auto message = channel_.receive_now();
  if (!message) {
    close_channel();
    process_.kill();
  } else if (*message) {
    on_message(**message);
  }
}

void UpstreamMachine::on_message(const Message& message) {
  if (last_word_) {
    return;
  }
  if (message.step == Step::Ready && phase_ == Phase::Booting) {
    phase_ = Phase::Ready;
    std::exchange(on_ready_, nullptr)({});
    return;
  }
  last_word_ = message;
  if (message.step != Step::Ended) {
    process_.kill();
  }
}

void UpstreamMachine::on_death() {
  for (bool more = channel_.fd() >= 0; more;) {
    const auto message = channel_.receive_now();
    more = message && *message;
    if (more) {
      on_message(**message);
    }
  }
  process_.reap();
  close_channel();
  loop_->remove(process_.pidfd());
  phase_ = Phase::Ended;
  // The callbacks may destroy this object: nothing is touched behind them.
  if (on_ready_) {
    const auto on_ready = std::exchange(on_ready_, nullptr);
    on_ready(last_word_ && last_word_->step == Step::Failed
                 ? failure_of(*last_word_)
                 : fail(ErrorCode::GuestFault,
                        "the guest ended before it was ready: its process " + how_it_ended()));
    return;
  }
  if (on_exit_) {
    const auto on_exit = std::exchange(on_exit_, nullptr);
    on_exit(exit());
  }
}

std::string UpstreamMachine::how_it_ended() const {
  return process_.signal() != 0 ? "died by signal " + std::to_string(process_.signal())
                                : "ended with status " + std::to_string(process_.status());
}

Exit UpstreamMachine::exit() const {
  if (last_word_ && last_word_->step == Step::Ended) {
    const int code = last_word_->status;
    return {.code = code,
            .signal = code > kSignalBase ? code - kSignalBase : 0,
            .report = last_word_->text};
  }
  const int signal = ended_by_ != 0 ? ended_by_ : SIGKILL;
  Exit exit{.code = kSignalBase + signal, .signal = signal, .report = {}};
  if (ended_by_ == 0) {
    exit.report = last_word_ ? failure_of(*last_word_).value().message
                             : "the guest's process " + how_it_ended();
  }
  return exit;
}

Result<std::unique_ptr<Machine>> create(MachineSpec spec, const Host& host) {
  const bool hardware = host.kvm >= 0;
  const GuestPlan plan = TRY(plan_guest(spec, hardware ? Cpu::Hardware : Cpu::Software));
  const UniqueFd file = TRY(plan_file(plan));
  auto ends = TRY(GuestChannel::create());
  GuestProcess process = TRY(GuestProcess::start(&spec, host, file.get(), ends.second.fd()));
  ends.second.close();
  auto machine = std::make_unique<UpstreamMachine>(std::move(process), std::move(ends.first),
                                                   hardware ? Isolation::Vm : Isolation::Emulated);
  TRY(see_through(&spec, &machine->channel()));
  return machine;
}

}  // namespace runhl::vmm::upstream
