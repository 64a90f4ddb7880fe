// SPDX-License-Identifier: Apache-2.0
#include "cell/cell_machine.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "cell/raw_call.h"
#include "crash_report.h"
#include "runhl/base/log.h"
#include "runhl/vmm/cell/cell.h"

namespace runhl::vmm::cell {

namespace {

constexpr std::size_t kMaxLogLine = 1024, kMaxMessage = 4096;
constexpr std::uint32_t kServedRings = 1;  // run time has one vCPU
constexpr int kStubFailed = 125;           // guest/abi/launch_stub.S
constexpr int kLastSignal = 64;

ErrorCode code_of(int os_errno) {
  switch (os_errno) {
    case ENOENT:
      return ErrorCode::NotFound;
    case EACCES:
    case EPERM:
      return ErrorCode::Permission;
    case ENOEXEC:
    case E2BIG:
    case ENOTDIR:
    case ELOOP:
    case EISDIR:
    case EINVAL:
      return ErrorCode::InvalidArgument;
    case ENOSYS:
      return ErrorCode::Unsupported;
    default:
      return ErrorCode::GuestFault;
  }
}

Exit killed_by(int signal) {
  constexpr int kSignalBase = 128;
  return {.code = kSignalBase + signal, .signal = signal, .report = {}};
}

/// A wait status as the guest gives it, hostile.
Exit from_status(std::uint64_t value) {
  const int status = static_cast<int>(value & 0xffff);
  if (WIFEXITED(status)) {
    return {.code = WEXITSTATUS(status), .signal = 0, .report = {}};
  }
  return killed_by(std::clamp(WTERMSIG(status), 1, kLastSignal));
}

}  // namespace

CellMachine::CellMachine(LaunchedCell cell, std::unique_ptr<console::Streams> streams,
                         std::shared_ptr<fs::FileService> files, std::string_view symbols,
                         StartHooks hooks)
    : cell_(std::move(cell)),
      area_(cell_.host_call_area.bytes()),
      rings_(area_, cell_.doorbell.get(), kServedRings),
      streams_(std::move(streams)),
      pool_(area_, files, cell_.doorbell.get()),
      symbols_(symbols),
      hooks_(hooks) {
  if (cell_.listener) {
    notify_ = std::make_shared<NotifyServer>(std::move(cell_.listener), area_, std::move(files));
  }
}

CellMachine::~CellMachine() {
  if (loop_ != nullptr && phase_ != Phase::Ended) {
    loop_->remove(cell_.doorbell.get());
    loop_->remove(cell_.pidfd.get());
  }
  kill();
  reap();
  const bool pool_ended = pool_.stop();
  const bool notify_ended = notify_ == nullptr || notify_->stop();
  if (!pool_ended || !notify_ended) {
    // A file system holds the thread, perhaps for ever: what it may write to stays mapped.
    log_warn("a file operation of the guest hangs; the container ends without it");
    (void)std::make_unique<Mapping>(std::move(cell_.host_call_area)).release();
  }
  streams_->close_all();
}

Capabilities CellMachine::capabilities() const {
  return {
      .isolation = Isolation::Cell, .writable_rootfs = true, .file_mapping = notify_ != nullptr};
}

Result<void> CellMachine::boot(EventLoop& loop, std::function<void(Result<void>)> on_ready,
                               std::function<void(Exit)> on_exit) {
  if (phase_ != Phase::Created) {
    return fail(ErrorCode::WrongState, "the guest has booted already");
  }
  TRY(loop.add(cell_.pidfd.get(), EPOLLIN, [this](std::uint32_t) { on_death(); }));
  auto added = loop.add(cell_.doorbell.get(), EPOLLIN, [this](std::uint32_t) { on_doorbell(); });
  if (!added) {
    loop.remove(cell_.pidfd.get());
    return added;
  }
  loop_ = &loop;
  on_ready_ = std::move(on_ready);
  on_exit_ = std::move(on_exit);
  phase_ = Phase::Booting;
  streams_->attach(loop, [this](std::uint32_t tag, std::int32_t result) {
    --unfinished_;
    rings_.complete(0, tag, result);
    rings_.wake_guest();
  });
  if (notify_ != nullptr) {
    TRY(notify_->start());
  }
  rings_.ring_doorbell();  // the guest may have submitted before anybody listened
  return {};
}

Result<void> CellMachine::start(std::function<void(Result<void>)> on_started) {
  if (phase_ == Phase::Ended) {
    return fail(ErrorCode::WrongState, "the guest has ended");
  }
  rings_.raise_event(abi::kEventStart);
  if (hooks_ == StartHooks::Yes) {
    on_started_ = std::move(on_started);
  } else {
    on_started({});
  }
  return {};
}

Result<void> CellMachine::signal(int number, SignalTarget target) {
  if (number < 1 || number > kLastSignal) {
    return fail(ErrorCode::InvalidArgument, "no signal has the number " + std::to_string(number));
  }
  if (phase_ == Phase::Ended) {
    return fail(ErrorCode::WrongState, "the guest has ended");
  }
  if (number == SIGKILL) {
    kill_signal_ = SIGKILL;
    kill();
    return {};
  }
  const std::uint64_t bit = std::uint64_t{1} << (number - 1);
  rings_.raise_event(abi::kEventSignal, target == SignalTarget::Init
                                            ? GuestSignals{.for_init = bit, .for_all = 0}
                                            : GuestSignals{.for_init = 0, .for_all = bit});
  return {};
}

std::vector<int> CellMachine::host_pids() const {
  return reaped_ ? std::vector<int>{} : std::vector<int>{cell_.pid};
}

Stats CellMachine::stats() const {
  const abi::GuestStats raw = copy_shared(area_.header().stats);
  Stats stats;
  stats.counters = {{"fast_syscalls", raw.fast_syscalls},
                    {"trapped_syscalls", raw.trapped_syscalls},
                    {"rewritten_sites", raw.rewritten_sites},
                    {"reserved_calls", raw.reserved_calls},
                    {"ring_entries", raw.ring_entries},
                    {"unimplemented_syscalls", raw.unimplemented_syscalls},
                    {"faults", raw.faults},
                    {"ticks", raw.ticks},
                    {"context_switches", raw.context_switches},
                    {"rewinds", raw.rewinds}};
  for (unsigned number = 0; number < raw.unimplemented.size(); ++number) {
    if (raw.unimplemented[number] != 0) {
      stats.unimplemented_syscalls[number] = raw.unimplemented[number];
    }
  }
  return stats;
}

void CellMachine::on_doorbell() {
  rings_.serve([this](std::uint32_t ring, const abi::RingEntry& entry) { on_entry(ring, entry); });
  // Behind serve(), which takes what rang: what is done later rings again.
  for (const FilePool::Done& done : pool_.take_done()) {
    --unfinished_;
    rings_.complete(done.ring, done.tag, done.result);
  }
  rings_.wake_guest();
  if (exit_) {
    await_end();
    on_death();  // no turn of the loop more
  }
}

void CellMachine::on_entry(std::uint32_t ring, const abi::RingEntry& entry) {
  if (exit_) {
    return;  // the guest has said its last word
  }
  switch (entry.op) {
    case abi::RingOp::StreamRead:
    case abi::RingOp::StreamWrite:
    case abi::RingOp::StreamPoll:
    case abi::RingOp::StreamClose:
      on_stream(entry);
      break;
    case abi::RingOp::File:
      on_file(ring, entry);
      break;
    case abi::RingOp::Cancel:
      streams_->cancel(entry.tag);
      break;
    case abi::RingOp::Log:
      on_log(ring, entry);
      break;
    case abi::RingOp::BootDone:
      on_boot_done(entry);
      break;
    case abi::RingOp::Started:
      on_started(entry);
      break;
    case abi::RingOp::Exit:
      exit_ = from_status(entry.value);
      break;
    case abi::RingOp::Panic:
      on_panic(entry);
      break;
  }
}

void CellMachine::on_stream(const abi::RingEntry& entry) {
  const auto buffer = area_.bounce(entry.bounce).first(entry.length);
  if (entry.op == abi::RingOp::StreamClose) {
    streams_->submit(entry, buffer);
    return;
  }
  if (admit(0, entry)) {
    streams_->submit(entry, buffer);
  }
}

bool CellMachine::admit(std::uint32_t ring, const abi::RingEntry& entry) {
  // The ring has no room for more completions: a guest that loses them has itself to blame, but the
  // monitor's memory is not its to fill.
  if (unfinished_ >= abi::kRingEntries) {
    rings_.complete(ring, entry.tag, -EBUSY);
    return false;
  }
  ++unfinished_;
  return true;
}

void CellMachine::on_file(std::uint32_t ring, const abi::RingEntry& entry) {
  if (!admit(ring, entry)) {
    return;
  }
  if (const std::int32_t error = pool_.post({ring, entry.tag, entry.bounce}); error != 0) {
    --unfinished_;
    rings_.complete(ring, entry.tag, error);
  }
}

std::string CellMachine::text_of(const abi::RingEntry& entry, std::size_t limit) const {
  const auto bytes = area_.bounce(entry.bounce).first(std::min<std::size_t>(entry.length, limit));
  // SAFETY: bytes as characters.
  std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  text.resize(std::min(text.find('\0'), text.size()));
  std::replace_if(text.begin(), text.end(), [](char c) { return c >= 0 && c < ' '; }, ' ');
  return text;
}

void CellMachine::on_log(std::uint32_t ring, const abi::RingEntry& entry) {
  log_debug("guest: {}", text_of(entry, kMaxLogLine));
  rings_.complete(ring, entry.tag, 0);
}

Result<void> CellMachine::outcome(const abi::RingEntry& entry) const {
  constexpr std::uint64_t kMaxErrno = 4095;
  if (entry.value == 0) {
    return {};
  }
  const int os_errno = static_cast<int>(std::min(entry.value, kMaxErrno));
  std::string message = text_of(entry, kMaxMessage);
  if (message.empty()) {
    message = "the guest could not boot";
  }
  return tl::unexpected(Error{code_of(os_errno), os_errno, std::move(message)});
}

void CellMachine::on_boot_done(const abi::RingEntry& entry) {
  if (phase_ != Phase::Booting || !on_ready_) {
    return;  // once
  }
  const auto on_ready = std::exchange(on_ready_, nullptr);
  const Result<void> booted = outcome(entry);
  if (booted) {
    phase_ = Phase::Ready;
  }
  on_ready(booted);
}

void CellMachine::on_started(const abi::RingEntry& entry) {
  if (phase_ == Phase::Ready && on_started_) {  // once, and after the boot
    std::exchange(on_started_, nullptr)(outcome(entry));
  }
}

void CellMachine::on_panic(const abi::RingEntry& entry) {
  abi::PanicReport report{};
  const auto bytes = area_.bounce(entry.bounce).first(entry.length);
  std::memcpy(&report, bytes.data(), std::min(bytes.size(), sizeof(report)));
  exit_ = killed_by(SIGKILL);
  exit_->report = describe_panic(report, symbols_);
  kill();
}

/// Cell 0 ends when it has waited for the cell of the container's process: only so that one's CPU
/// time is counted to us. What a killed cell 0 leaves the host reaps for nobody.
void CellMachine::await_end() {
  constexpr int kPatienceMs = 500;
  pollfd end{cell_.pidfd.get(), POLLIN, 0};
  (void)::poll(&end, 1, kPatienceMs);
  kill();
}

void CellMachine::kill() {
  if (!reaped_) {
    // Fails only when it is dead already.
    (void)raw_call(SYS_pidfd_send_signal, cell_.pidfd.get(), SIGKILL, nullptr, 0);
  }
}

void CellMachine::reap() {
  if (reaped_) {
    return;
  }
  siginfo_t info{};
  while (::waitid(P_PIDFD, static_cast<id_t>(cell_.pidfd.get()), &info, WEXITED | __WALL) != 0 &&
         errno == EINTR) {
  }
  reaped_ = true;
  (info.si_code == CLD_EXITED ? cell0_code_ : cell0_signal_) = info.si_status;
  // With cell 0 its pid namespace went, and with that every cell: nobody asks for files any more.
}

void CellMachine::on_death() {
  rings_.drain([this](std::uint32_t ring, const abi::RingEntry& entry) { on_entry(ring, entry); });
  reap();
  loop_->remove(cell_.doorbell.get());
  loop_->remove(cell_.pidfd.get());
  phase_ = Phase::Ended;
  streams_->close_all();
  tell_end();
}

Exit CellMachine::exit_of_cell0() const {
  if (exit_) {
    return *exit_;
  }
  // It ends by our order alone: whatever else it did, the container was killed.
  Exit exit = killed_by(SIGKILL);
  if (kill_signal_ == 0) {
    exit.report = cell0_signal_ != 0 ? "cell 0 died by signal " + std::to_string(cell0_signal_)
                                     : "cell 0 ended with status " + std::to_string(cell0_code_);
  }
  return exit;
}

std::string CellMachine::why_it_never_booted() const {
  if (exit_ && !exit_->report.empty()) {
    return "the guest kernel failed before it was ready: " + exit_->report;
  }
  if (cell0_code_ == kStubFailed && cell0_signal_ == 0) {
    return "cell 0: the host refused munmap or seccomp";
  }
  if (cell0_signal_ == SIGSYS) {
    return "cell 0: killed by its syscall filter before it was ready";
  }
  return "the guest ended before it was ready: cell 0 " +
         (cell0_signal_ != 0 ? "died by signal " + std::to_string(cell0_signal_)
                             : "ended with status " + std::to_string(cell0_code_));
}

void CellMachine::tell_end() {
  // The callbacks may destroy this object: nothing is touched behind them.
  if (on_ready_) {
    const auto on_ready = std::exchange(on_ready_, nullptr);
    on_ready(fail(ErrorCode::GuestFault, why_it_never_booted()));
    return;
  }
  if (on_exit_) {
    const auto on_exit = std::exchange(on_exit_, nullptr);
    on_exit(exit_of_cell0());
  }
}

Result<std::unique_ptr<Machine>> create(MachineSpec spec, const KernelImage& kernel) {
  // A stream's reader may go: that is for the guest to know, not for us to die of.
  (void)::signal(SIGPIPE, SIG_IGN);
  auto streams = std::make_unique<console::Streams>(std::move(spec.stdio), spec.proc_dir.get());
  auto launched = launch(kernel, {streams->mode(0), streams->mode(1), streams->mode(2)}, spec);
  if (!launched) {
    return tl::unexpected(std::move(launched).error());
  }
  auto files = fs::FileService::create(std::move(spec.trees), std::move(spec.ceiling));
  if (!files) {
    end_cell(launched->pidfd.get());
    return tl::unexpected(std::move(files).error());
  }
  return std::make_unique<CellMachine>(
      std::move(*launched), std::move(streams), std::move(*files), kernel.symbols,
      spec.start_hooks.hooks.empty() ? CellMachine::StartHooks::No : CellMachine::StartHooks::Yes);
}

}  // namespace runhl::vmm::cell
