// SPDX-License-Identifier: Apache-2.0
#include "boot/container.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include <algorithm>
#include <csignal>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "boot/container_files.h"
#include "boot/exit_codes.h"
#include "boot/isolation.h"
#include "boot/jail.h"
#include "image_helper.h"
#include "runhl/base/file_io.h"
#include "runhl/base/one_line.h"
#include "runhl/base/sys.h"
#include "runhl/vmm/emu/emulated_backend.h"
#include "runhl/vmm/hyperlight/command_line.h"
#include "runhl/vmm/hyperlight/guest.h"
#include "runhl/vmm/hyperlight/host_mount.h"
#include "runhl/vmm/hyperlight/kernel_file.h"
#include "runhl/vmm/hyperlight/rootfs_archive.h"
#include "runhl/vmm/hyperlight/starter.h"
#include "runhl/vmm/kvm/kvm_backend.h"
#include "runhl/vmm/net/policy.h"
#include "runhl/vmm/upstream/guest_channel.h"
#include "runhl/vmm/upstream/guest_descriptors.h"
#include "runhl/vmm/upstream/guest_plan.h"
#include "version.h"

namespace runhl::boot {
namespace {

namespace hyperlight = vmm::hyperlight;
namespace upstream = vmm::upstream;
using upstream::Step;

constexpr int kKernelDied = kSignalled + SIGKILL;

Result<std::uint64_t> size_of(int fd, const char* what) {
  struct stat info{};
  if (::fstat(fd, &info) != 0) {
    return fail_errno(what);
  }
  if (!S_ISREG(info.st_mode)) {
    return fail(ErrorCode::InvalidArgument, std::string(what) + ": not a regular file");
  }
  return static_cast<std::uint64_t>(info.st_size);
}

Result<upstream::GuestPlan> read_plan() {
  constexpr std::size_t kMost = 16U << 20U;
  const UniqueFd file(upstream::kPlanDescriptor);
  std::string text(TRY(size_of(file.get(), "the guest's plan")), '\0');
  if (text.size() > kMost) {
    return fail(ErrorCode::InvalidArgument, "the guest's plan is too large");
  }
  TRY(read_all_at(file.get(), std::as_writable_bytes(std::span(text)), 0, "the guest's plan"));
  return upstream::decode_plan(text);
}

/// With the rights that the container has on the host's files, not with those that set it up.
class CeilingRights {
 public:
  static Result<CeilingRights> take(std::uint64_t ceiling) {
    const CapabilityState before = TRY(linux_sys().capabilities());
    CapabilityState cut = before;
    cut.effective &= ceiling;
    TRY(linux_sys().set_capabilities(cut));
    return CeilingRights(before);
  }
  /// The jail is still to be made.
  Result<void> give_back() { return linux_sys().set_capabilities(before_); }

 private:
  explicit CeilingRights(const CapabilityState& before) : before_(before) {}
  CapabilityState before_;
};

class ContainerGuest {
 public:
  ContainerGuest(upstream::GuestPlan plan, upstream::GuestChannel channel)
      : plan_(std::move(plan)), channel_(std::move(channel)) {}

  /// Until the guest stands before its program.
  Result<void> prepare();
  /// Until it ends.
  Result<void> run();
  upstream::GuestChannel& channel() { return channel_; }

 private:
  Result<void> open();
  Result<void> open_network();
  Result<void> expect(Step step);
  Result<void> look_at_trees();
  Result<void> make_guest();
  [[nodiscard]] upstream::Message end_of(const Result<int>& status) const;

  upstream::GuestPlan plan_;
  upstream::GuestChannel channel_;
  JailSpec jail_;
  std::string kernel_;
  UniqueFd archive_;
  std::optional<hyperlight::RootfsArchive> rootfs_;
  std::optional<hyperlight::Starter> starter_;
  std::vector<UniqueFd> directories_;
  std::optional<vmm::net::Policy> network_;
  std::unique_ptr<vmm::Backend> backend_;
  hyperlight::GuestSpec spec_;
  hyperlight::Program program_;
  std::optional<hyperlight::Guest> guest_;
};

Result<std::unique_ptr<vmm::Backend>> make_backend(upstream::Cpu cpu) {
  if (cpu == upstream::Cpu::Hardware) {
    return vmm::kvm::create_backend(&vmm::kvm::linux_kvm_of(upstream::kKvmDescriptor));
  }
  return vmm::emu::create_backend(TRY(libexec_path("runhl-emu")));
}

Result<std::string> read_kernel() {
  const UniqueFd file(upstream::kKernelDescriptor);
  const std::uint64_t size = TRY(size_of(file.get(), "kernel"));
  if (size > hyperlight::kMaxKernelFile) {
    return fail(ErrorCode::InvalidArgument, "kernel: larger than any kernel");
  }
  std::string bytes(size, '\0');
  TRY(read_all_at(file.get(), std::as_writable_bytes(std::span(bytes)), 0, "kernel"));
  return bytes;
}

Result<void> ContainerGuest::open_network() {
  // What the container's network namespace allows, but for what no guest ever reaches.
  vmm::net::PolicySpec policy;
  policy.mode = vmm::net::Mode::All;
  policy.listen.push_back(TRY(vmm::net::parse_port_range("all")));
  network_ = TRY(vmm::net::Policy::create(std::move(policy), vmm::net::Resolver::of_host()));
  spec_.network = &*network_;
  jail_.network = true;
  jail_.low_ports = network_->binds_low_ports();
  return {};
}

/// None: there is no group to go to. Before anything is opened that could have its number.
UniqueFd take_group() {
  return UniqueFd(::fcntl(upstream::kGroupDescriptor, F_GETFD) < 0 ? -1
                                                                   : upstream::kGroupDescriptor);
}

/// With the virtual machine made: guest_descriptors.h.
Result<void> enter_group(const UniqueFd& group) {
  return group ? write_all(group.get(), "0", "cgroup.procs of the guest's group") : Result<void>();
}

/// While the host's files are in sight.
Result<void> ContainerGuest::open() {
  const UniqueFd group = take_group();
  kernel_ = TRY(read_kernel());
  spec_.kernel = std::as_bytes(std::span(kernel_));
  TRY(with_context("kernel", hyperlight::check_kernel_for_programs(spec_.kernel)));
  archive_.reset(upstream::kArchiveDescriptor);
  spec_.initrd_fd = archive_.get();
  spec_.initrd_size = TRY(size_of(archive_.get(), "archive of the root file system"));
  rootfs_ = TRY(with_context("archive of the root file system",
                             hyperlight::RootfsArchive::open(archive_.get(), spec_.initrd_size)));
  spec_.memory_size = plan_.memory_bytes;
  TRY(open_network());
  backend_ = TRY(make_backend(plan_.cpu));
  if (plan_.cpu == upstream::Cpu::Hardware) {
    jail_.foreign.push_back(upstream::kKvmDescriptor);
    TRY(enter_group(group));
  }
  return {};
}

Result<void> ContainerGuest::expect(Step step) {
  const upstream::Message message = TRY(channel_.receive());
  return message.step == step ? Result<void>()
                              : fail(ErrorCode::Internal, "the monitor is out of step");
}

/// In the monitor's jail, which is our root by now.
Result<void> ContainerGuest::look_at_trees() {
  CeilingRights rights = TRY(CeilingRights::take(plan_.capabilities));
  ContainerFiles files(*rootfs_);
  for (const upstream::PlannedTree& tree : plan_.trees) {
    const std::string path = "/" + std::to_string(tree.tree);
    if (!tree.directory) {
      TRY(files.copy(path, tree.target));
      continue;
    }
    directories_.push_back(TRY(with_context(tree.target, hyperlight::open_host_directory(path))));
    spec_.mounts.push_back({directories_.back().get(), tree.target, tree.read_only});
    jail_.directories.push_back({directories_.back().get(), tree.read_only});
  }
  for (const std::string& directory : plan_.made) {
    files.make_directory(directory);
  }
  files.make_directory(plan_.directory);
  program_.place = hyperlight::Program::Place{
      .path = TRY(files.find_program(plan_.args.front(), plan_.env, plan_.directory, spec_.mounts)),
      .directory = plan_.directory,
      .hostname = plan_.hostname};
  program_.args = plan_.args;
  program_.environment = plan_.env;
  starter_ =
      TRY(with_context("the root file system", hyperlight::add_starter(*rootfs_, files.added())));
  return rights.give_back();
}

/// Kernels of the older generation die of an empty argument.
Result<void> check_arguments(const std::vector<std::string>& args,
                             hyperlight::Generation generation) {
  for (std::size_t i = 0; i < args.size(); ++i) {
    if (args[i].empty() && generation == hyperlight::Generation::G2) {
      return fail(ErrorCode::Unsupported, "/process/args/" + std::to_string(i) +
                                              ": an empty argument, of which kernels before 0.18 "
                                              "die");
    }
  }
  return {};
}

Result<void> ContainerGuest::make_guest() {
  spec_.initrd_tail = starter_->tail();
  spec_.command_line =
      TRY(hyperlight::make_command_line(spec_.mounts, hyperlight::kStarterPath, {}));
  guest_.emplace(
      TRY(with_context("kernel", hyperlight::Guest::create(spec_, std::move(backend_)))));
  TRY(check_arguments(plan_.args, guest_->generation()));
  jail_.ceiling = plan_.capabilities;
  return with_context("jail", enter_jail(linux_sys(), jail_));
}

Result<void> ContainerGuest::prepare() {
  TRY(open());
  TRY(channel_.send({.step = Step::Opened, .text = {}}));
  TRY(expect(Step::Enter));
  TRY(look_at_trees());
  TRY(make_guest());
  TRY(with_context("kernel", guest_->boot()));
  return channel_.send({.step = Step::Ready, .text = {}});
}

upstream::Message ContainerGuest::end_of(const Result<int>& status) const {
  if (status) {
    return {.step = Step::Ended, .status = *status & 0xff, .text = {}};
  }
  const int signal = guest_->fatal_signal();
  return {.step = Step::Ended,
          .status = signal != 0 ? kSignalled + signal : kKernelDied,
          .text = one_line(status.error().message)};
}

Result<void> ContainerGuest::run() {
  TRY(expect(Step::Start));
  const Result<void> started = guest_->start(program_);
  return channel_.send(
      end_of(started ? guest_->wait() : Result<int>(tl::unexpected(started.error()))));
}

Result<void> serve(ContainerGuest* guest) {
  TRY(guest->prepare());
  return guest->run();
}

Result<upstream::GuestPlan> begin(const std::string& caller) {
  if (caller != "--caller-version=" + version_text()) {
    return fail(ErrorCode::WrongState,
                "this runhl-boot is not of the runhl that called it; install both again");
  }
  // The guest does not outlive its monitor; one that died before this is seen by the channel.
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) {
    return fail_errno("prctl PR_SET_PDEATHSIG");
  }
  for (int fd = upstream::kChannelDescriptor; fd < upstream::kGuestDescriptors; ++fd) {
    (void)::fcntl(fd, F_SETFD, FD_CLOEXEC);  // the software CPU has none of them
  }
  return read_plan();
}

}  // namespace

int serve_container(const std::string& caller) {
  upstream::GuestChannel channel{UniqueFd(upstream::kChannelDescriptor)};
  Result<upstream::GuestPlan> plan = begin(caller);
  if (!plan) {
    (void)channel.send({.step = Step::Failed,
                        .code = plan.error().code,
                        .text = plan.error().message});  // or it sees our end
    return kFailed;
  }
  ContainerGuest guest(std::move(*plan), std::move(channel));
  const Result<void> served = serve(&guest);
  if (!served) {
    (void)guest.channel().send({.step = Step::Failed,
                                .code = served.error().code,
                                .text = served.error().message});  // or it sees our end
    return kFailed;
  }
  return 0;
}

}  // namespace runhl::boot
