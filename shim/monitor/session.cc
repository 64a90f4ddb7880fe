// SPDX-License-Identifier: Apache-2.0
#include "monitor/session.h"

#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "monitor/stats_text.h"
#include "runhl/base/log.h"
#include "runhl/base/sys.h"
#include "runhl/vmm/syscall_names.h"

namespace runhl::shim {
namespace {

constexpr int kSetupFailed = 1;
constexpr int kKernelDied = 128 + SIGKILL;

/// Synchronous faults of the monitor itself end it, SIGCHLD is the machine's own business.
bool is_relayed(int number) {
  switch (number) {
    case SIGKILL:
    case SIGSTOP:
    case SIGCHLD:
    case SIGPIPE:
    case SIGSEGV:
    case SIGBUS:
    case SIGFPE:
    case SIGILL:
    case SIGTRAP:
    case SIGSYS:
    case SIGABRT:
    case SIGXFSZ:  // a write beyond the container's file size limit answers EFBIG
      return false;
    default:
      return true;
  }
}

/// "fast_syscalls 12, trapped_syscalls 3, ..., unimplemented userfaultfd x2".
std::string describe(const vmm::Stats& stats) {
  std::string text;
  for (const auto& [name, value] : stats.counters) {
    text += (text.empty() ? "" : ", ") + name + " " + std::to_string(value);
  }
  for (const auto& [number, calls] : stats.unimplemented_syscalls) {
    text += ", unimplemented " + vmm::syscall_name(number) + " x" + std::to_string(calls);
  }
  return text;
}

Result<std::string> without_text(const Result<void>& result) {
  return result ? Result<std::string>(std::string()) : tl::unexpected(result.error());
}

}  // namespace

Result<UniqueFd> block_and_collect_signals() {
  constexpr int kLibcOwnFirst = 32, kLibcOwnLast = 33;
  sigset_t set;
  sigemptyset(&set);
  for (int number = 1; number <= SIGRTMAX; ++number) {
    if (is_relayed(number) && (number < kLibcOwnFirst || number > kLibcOwnLast)) {
      sigaddset(&set, number);
    }
  }
  UniqueFd fd{::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK)};
  if (!fd || ::pthread_sigmask(SIG_SETMASK, &set, nullptr) != 0) {
    return fail_errno("signalfd");
  }
  (void)::signal(SIGPIPE, SIG_IGN);  // EPIPE is the guest's to know
  (void)::signal(SIGXFSZ, SIG_IGN);
  return fd;
}

int Session::run() {
  if (const auto watched = watch(); !watched) {
    (void)parts_.channel.send_failure(watched.error());  // it sees our end otherwise
    return kSetupFailed;
  }
  for (;;) {
    if (phase_ == Phase::Abandoned) {
      return kSetupFailed;
    }
    if (exit_ && (phase_ == Phase::Created || phase_ == Phase::Started)) {
      return finish();
    }
    if (const auto turn = loop_.run_once(patience_ms()); !turn) {
      log_error("monitor: {}", turn.error().message);
      return kKernelDied;
    }
    settle();
  }
}

int Session::patience_ms() const {
  using std::chrono::milliseconds;
  if (!parts_.when_settled) {
    return -1;
  }
  const auto left = std::chrono::ceil<milliseconds>(settled_at_ - Clock::now());
  return static_cast<int>(std::max(left, milliseconds(0)).count());
}

void Session::settle() {
  if (parts_.when_settled && Clock::now() >= settled_at_) {
    std::exchange(parts_.when_settled, nullptr)();
  }
}

Result<void> Session::watch() {
  TRY(loop_.add(parts_.channel.fd(), EPOLLIN, [this](std::uint32_t) { on_channel(); }));
  if (parts_.signals) {
    TRY(loop_.add(parts_.signals.get(), EPOLLIN, [this](std::uint32_t) { on_signal(); }));
  }
  if (parts_.oom) {
    TRY(loop_.add(parts_.oom.fd(), EPOLLIN, [this](std::uint32_t) { on_oom(); }));
  }
  control_ = TRY(ControlServer::create(
      std::move(parts_.control_listener), loop_,
      [this](const ControlRequest& request, const auto& reply) { on_request(request, reply); }));
  if (parts_.start == StartMode::AtOnce) {
    // on_ready tells of it: what has start hooks is started by order (lifecycle.h).
    TRY(parts_.machine->start([](const Result<void>&) {}));
  }
  return parts_.machine->boot(
      loop_, [this](const Result<void>& result) { on_ready(result); },
      [this](vmm::Exit exit) { on_exit(std::move(exit)); });
}

void Session::on_ready(const Result<void>& result) {
  if (!result) {
    (void)parts_.channel.send_failure(result.error());  // it sees our end otherwise
    phase_ = Phase::Abandoned;
    return;
  }
  if (parts_.start == StartMode::AtOnce) {
    tell_started();
    return;
  }
  phase_ = Phase::Ready;
  if (!parts_.channel.send(SetupStep::Ready)) {
    phase_ = Phase::Abandoned;
  }
}

/// The program runs already. A verb that died before it learned so takes it along.
void Session::tell_started() {
  if (!parts_.channel.send(SetupStep::Started)) {
    phase_ = Phase::Abandoned;
    return;
  }
  on_started();
}

void Session::on_exit(vmm::Exit exit) {
  exit_ = std::move(exit);
  if (phase_ == Phase::Booting) {
    const std::string report = exit_->report.empty() ? "" : ": " + exit_->report;
    (void)parts_.channel.send_failure(
        Error{ErrorCode::GuestFault, 0, "the guest ended before it was ready" + report});
    phase_ = Phase::Abandoned;
  }
}

/// The verb's last word; without it there is no container. Behind a run's start it is that nobody
/// waits for the end any more.
void Session::on_channel() {
  const auto message = parts_.channel.receive();
  if (phase_ != Phase::Started) {
    const bool committed = phase_ == Phase::Ready && message && message->step == SetupStep::Commit;
    phase_ = committed ? Phase::Created : Phase::Abandoned;
  }
  close_channel();
}

void Session::close_channel() {
  if (parts_.channel.fd() >= 0) {
    loop_.remove(parts_.channel.fd());
    const SetupChannel last_use = std::move(parts_.channel);
  }
}

void Session::on_signal() {
  signalfd_siginfo info{};
  while (::read(parts_.signals.get(), &info, sizeof(info)) == sizeof(info)) {
    if (const auto sent = signal(static_cast<int>(info.ssi_signo), vmm::SignalTarget::Init);
        !sent) {
      log_debug("signal {} was not passed on: {}", info.ssi_signo, sent.error().message);
    }
  }
}

/// The host's OOM killer ends a cell, which is one guest process, or all of them. Once is enough: a
/// program that forks and eats makes thousands.
void Session::on_oom() {
  if (parts_.oom.take() && !std::exchange(told_of_oom_, true)) {
    log_warn("the container is out of memory: the host ends processes of it");
  }
}

void Session::on_request(const ControlRequest& request, const ControlServer::Reply& reply) {
  const auto done = [&reply](const Result<void>& result) { reply(without_text(result)); };
  switch (request.operation) {
    case ControlOperation::Start:
      start(reply);
      break;
    case ControlOperation::Signal:
      done(signal(request.argument, vmm::SignalTarget::Init));
      break;
    case ControlOperation::SignalAll:
      done(signal(request.argument, vmm::SignalTarget::All));
      break;
    case ControlOperation::Stats:
      reply(stats_text(parts_.machine->stats(), parts_.machine->capabilities()));
      break;
  }
}

Result<void> Session::check_startable() const {
  if (exit_) {
    return fail(ErrorCode::WrongState, "cannot start a container that has stopped");
  }
  if (phase_ == Phase::Started || start_ordered_) {
    return fail(ErrorCode::WrongState, "cannot start an already running container");
  }
  if (phase_ != Phase::Created) {
    return fail(ErrorCode::WrongState, "cannot start a container that is not created yet");
  }
  return {};
}

/// Answered when the program runs, or why it never will. Until then it is created, as runc's.
void Session::start(const ControlServer::Reply& reply) {
  Result<void> begun = check_startable();
  if (begun) {
    begun = parts_.machine->start([this, reply](const Result<void>& started) {
      if (started) {
        on_started();
      }
      reply(without_text(started));
    });
    start_ordered_ = begun.has_value();
  }
  if (!begun) {
    reply(without_text(begun));
  }
}

void Session::on_started() {
  phase_ = Phase::Started;
  write_progress(kStartedLine);
}

Result<void> Session::signal(int number, vmm::SignalTarget target) {
  if (number < 1 || number > SIGRTMAX) {
    return fail(ErrorCode::InvalidArgument, "no signal has the number " + std::to_string(number));
  }
  if (exit_) {
    return fail(ErrorCode::WrongState, "container not running");
  }
  TRY(parts_.machine->signal(number, target));
  if (number == SIGKILL && parts_.thaw) {
    TRY(parts_.thaw(linux_sys()));  // version 1: a frozen cell does not die
  }
  return {};
}

/// In place and one line: each is at least as long as the one before.
void Session::write_progress(std::string_view line) {
  if (::pwrite(parts_.exit_file.get(), line.data(), line.size(), 0) < 0) {
    log_warn("exit file: {}", ::strerrordesc_np(errno));
  }
}

/// An end that nobody ordered, in a container that was out of memory, has its reason there.
void Session::explain_death() {
  const std::uint64_t kills = parts_.oom ? parts_.oom.kills() : 0;
  if (!exit_->report.empty() && kills > 0) {
    exit_->report += " (out of memory: the host has killed " + std::to_string(kills) +
                     " processes of the container)";
  }
}

int Session::finish() {
  explain_death();
  if (!exit_->report.empty()) {
    exit_->report += unimplemented_lines(parts_.machine->stats());
    log_error("guest kernel: {}", exit_->report);
    if (parts_.report) {
      const std::string line = exit_->report + "\n";
      (void)!::write(parts_.report.get(), line.data(), line.size());  // nobody left to tell
    }
  }
  if (log_debug_enabled()) {
    log_debug("guest: {}", describe(parts_.machine->stats()));
  }
  // The streams are closed before the exit is told: who sees the exit has all output.
  parts_.report.reset();
  write_progress(exited_line(exit_->code));
  const SetupChannel last_use = std::move(parts_.channel);  // a verb that waits goes on
  finished_ = true;
  return exit_->code;
}

}  // namespace runhl::shim
