// SPDX-License-Identifier: Apache-2.0
#include "runhl/vmm/embed/machine.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <utility>

#include "runhl/base/file_io.h"
#include "runhl/base/unique_fd.h"
#include "runhl/vmm/emu/emulated_backend.h"
#include "runhl/vmm/hyperlight/command_line.h"
#include "runhl/vmm/hyperlight/host_mount.h"
#include "runhl/vmm/hyperlight/kernel_file.h"
#include "runhl/vmm/hyperlight/rootfs_archive.h"
#include "runhl/vmm/kvm/kvm_backend.h"
#include "runhl/vmm/kvm/probe.h"

namespace runhl::vmm::embed {
namespace {

struct OpenFile {
  UniqueFd fd;
  std::uint64_t size = 0;
};

Result<OpenFile> open_file(const std::string& path) {
  // Not blocking: a FIFO of this name is told from a file before anybody waits for its other end.
  OpenFile file{UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK))};
  struct stat status{};
  if (!file.fd || ::fstat(file.fd.get(), &status) != 0) {
    return fail_errno(path);
  }
  if (!S_ISREG(status.st_mode)) {
    return fail(ErrorCode::InvalidArgument, path + ": no file");
  }
  file.size = static_cast<std::uint64_t>(status.st_size);
  return file;
}

Result<std::string> read_kernel(const std::string& path) {
  if (path.empty()) {
    return fail(ErrorCode::InvalidArgument, "no kernel is named");
  }
  const OpenFile file = TRY(open_file(path));
  if (file.size > hyperlight::kMaxKernelFile) {
    return fail(ErrorCode::InvalidArgument, path + ": larger than any kernel");
  }
  return read_up_to(file.fd.get(), hyperlight::kMaxKernelFile, path);
}

/// KVM where it is hardware; null: it is not, `why`.
Result<std::unique_ptr<Backend>> hardware_backend(Executor executor, std::string* why) {
  constexpr int kMostTries = 5;  // a busy machine gives no answer, and the next time it may
  kvm::Probe found = kvm::probe(&kvm::linux_kvm(), kvm::host_cpu());
  for (int i = 1; executor == Executor::Vm && !found.is_final() && i < kMostTries; ++i) {
    found = kvm::probe(&kvm::linux_kvm(), kvm::host_cpu());
  }
  *why = found.reason;
  return found.usable() ? kvm::create_backend() : Result<std::unique_ptr<Backend>>(nullptr);
}

/// The reason why a program cannot be started, where the archive says so: the kernel does not.
Result<void> check_program(const Options& options, const OpenFile& initrd) {
  const hyperlight::RootfsArchive rootfs = TRY(
      with_context(options.initrd, hyperlight::RootfsArchive::open(initrd.fd.get(), initrd.size)));
  return options.program.empty() ? Result<void>() : rootfs.check_program(options.program.front());
}

}  // namespace

struct Machine::Impl {
  enum class State : std::uint8_t { Made, Booted, Failed };

  // What the guest borrows; it goes first.
  std::vector<UniqueFd> directories;
  std::optional<net::Policy> network;
  std::optional<hyperlight::Guest> guest;
  bool hardware = false;
  State state = State::Made;
  std::optional<int> crash;  // exit status of a program that died while the kernel booted

  Result<void> open_grants(const Options& options, hyperlight::GuestSpec* spec);
  Result<std::unique_ptr<Backend>> make_backend(const Options& options);
  [[nodiscard]] Result<void> expect_booted() const;
  /// Of a guest that ran: after most errors it does not any more.
  void note(const Error& error);
  /// The status of a program that a fault killed, with the kernel that could not deliver it.
  [[nodiscard]] std::optional<int> crash_of(const Error& error) const;
};

Result<void> Machine::Impl::open_grants(const Options& options, hyperlight::GuestSpec* spec) {
  for (const Directory& directory : options.directories) {
    directories.push_back(
        TRY(with_context("directory", hyperlight::open_host_directory(directory.host))));
    spec->mounts.push_back({directories.back().get(), directory.guest, directory.read_only});
  }
  if (options.network) {
    network = TRY(
        with_context("network", net::Policy::create(*options.network, net::Resolver::of_host())));
    spec->network = &*network;
  }
  return {};
}

Result<std::unique_ptr<Backend>> Machine::Impl::make_backend(const Options& options) {
  std::string why;
  if (options.executor != Executor::Emulated) {
    std::unique_ptr<Backend> backend = TRY(hardware_backend(options.executor, &why));
    if (backend != nullptr) {
      hardware = true;
      return backend;
    }
    if (options.executor == Executor::Vm || options.emulator.empty()) {
      return fail(ErrorCode::Unsupported, "no KVM: " + why);
    }
  }
  if (options.emulator.empty()) {
    return fail(ErrorCode::InvalidArgument, "no software CPU is named");
  }
  return emu::create_backend(options.emulator);
}

Result<void> Machine::Impl::expect_booted() const {
  if (state == State::Booted) {
    return {};
  }
  return fail(ErrorCode::WrongState,
              state == State::Made ? "the machine was not booted" : "the machine has failed");
}

void Machine::Impl::note(const Error& error) {
  if (error.code != ErrorCode::InvalidArgument && error.code != ErrorCode::NotFound &&
      error.code != ErrorCode::WrongState) {
    state = State::Failed;
  }
}

std::optional<int> Machine::Impl::crash_of(const Error& error) const {
  constexpr int kSignalBase = 128;
  const int signal = guest->fatal_signal();
  return error.code == ErrorCode::GuestFault && signal != 0 ? std::optional(kSignalBase + signal)
                                                            : std::nullopt;
}

Machine::Machine(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Machine::~Machine() = default;
Machine::Machine(Machine&& other) noexcept = default;
Machine& Machine::operator=(Machine&& other) noexcept = default;

Result<Machine> Machine::create(const Options& options) {
  auto impl = std::make_unique<Impl>();
  hyperlight::GuestSpec spec;
  const std::string kernel = TRY(read_kernel(options.kernel));
  TRY(with_context(options.kernel,
                   hyperlight::check_kernel_for_programs(std::as_bytes(std::span(kernel)))));
  spec.kernel = std::as_bytes(std::span(kernel));
  OpenFile initrd;
  if (!options.initrd.empty()) {
    initrd = TRY(open_file(options.initrd));
    TRY(check_program(options, initrd));
    spec.initrd_fd = initrd.fd.get();
    spec.initrd_size = initrd.size;
  } else if (!options.program.empty()) {
    return fail(ErrorCode::InvalidArgument, "a program, and no archive that it could be in");
  }
  TRY(impl->open_grants(options, &spec));
  const std::span<const std::string> words = options.program;
  spec.command_line = TRY(
      hyperlight::make_command_line(spec.mounts, words.empty() ? std::string_view() : words.front(),
                                    words.empty() ? words : words.subspan(1)));
  spec.memory_size = options.memory_bytes;
  spec.environment = options.environment;
  spec.in = options.input;
  spec.on_output = options.on_output;
  spec.host_calls = options.functions;
  spec.on_request = options.on_request;
  std::unique_ptr<Backend> backend = TRY(impl->make_backend(options));
  impl->guest.emplace(
      TRY(with_context(options.kernel, hyperlight::Guest::create(spec, std::move(backend)))));
  return Machine(std::move(impl));
}

Result<void> Machine::boot() {
  Impl& it = *impl_;
  if (it.state != Impl::State::Made) {
    return fail(ErrorCode::WrongState, "the machine was booted before");
  }
  Result<void> booted = it.guest->boot();
  it.state = booted ? Impl::State::Booted : Impl::State::Failed;
  if (!booted) {
    it.crash = it.crash_of(booted.error());
  }
  return it.crash ? Result<void>() : booted;
}

Result<int> Machine::wait() {
  Impl& it = *impl_;
  if (it.crash) {
    return *it.crash;
  }
  TRY(it.expect_booted());
  const Result<int> status = it.guest->wait();
  if (status) {
    return *status & 0xff;
  }
  it.note(status.error());
  it.crash = it.crash_of(status.error());
  return it.crash ? Result<int>(*it.crash) : status;
}

Result<CallReply> Machine::call(std::string_view function,
                                std::span<const std::string_view> arguments) {
  TRY(impl_->expect_booted());
  Result<CallReply> reply = impl_->guest->call(function, arguments);
  if (!reply) {
    impl_->note(reply.error());
    impl_->crash = impl_->crash_of(reply.error());
  }
  return reply;
}

void Machine::stop() {
  impl_->guest->stop();
}

std::string_view Machine::isolation() const {
  return impl_->hardware ? "vm" : "emulated";
}

}  // namespace runhl::vmm::embed
