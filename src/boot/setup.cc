// SPDX-License-Identifier: Apache-2.0
#include "boot/setup.h"

#include <cstdio>
#include <utility>

#include "boot/boot_file.h"
#include "boot/exit_codes.h"
#include "runhl/base/environment.h"
#include "runhl/base/file_io.h"
#include "runhl/base/sys.h"
#include "runhl/shim/state_dir.h"
#include "runhl/vmm/hyperlight/command_line.h"
#include "runhl/vmm/hyperlight/host_mount.h"
#include "runhl/vmm/hyperlight/kernel_file.h"

namespace runhl::boot {
namespace {

namespace hyperlight = vmm::hyperlight;

BootFileOptions file_options(const BootOptions& options) {
  return {.store = options.store, .pull_missing = options.pull != "never"};
}

Result<std::string> read_kernel(const BootOptions& options) {
  const BootFile file =
      TRY(open_boot_file(oci::ArtifactKind::Kernel, options.kernel, file_options(options)));
  if (file.size > hyperlight::kMaxKernelFile) {
    return fail(ErrorCode::InvalidArgument, options.kernel + ": larger than any kernel");
  }
  return read_up_to(file.fd.get(), hyperlight::kMaxKernelFile, options.kernel);
}

}  // namespace

Setup::Setup(const BootOptions& options) : options_(options) {
  jail_.foreign = descriptors_of_caller();
}

Result<void> Setup::open_initrd() {
  BootFile file =
      TRY(open_boot_file(oci::ArtifactKind::Rootfs, options_.initrd, file_options(options_)));
  initrd_ = std::move(file.fd);
  spec_.initrd_size = file.size;
  rootfs_ = TRY(with_context(options_.initrd,
                             hyperlight::RootfsArchive::open(initrd_.get(), spec_.initrd_size)));
  spec_.initrd_fd = initrd_.get();
  return {};
}

Result<void> Setup::open_network(const vmm::net::PolicySpec& policy) {
  network_ =
      TRY(with_context("network", vmm::net::Policy::create(policy, vmm::net::Resolver::of_host())));
  spec_.network = &*network_;
  jail_.network = true;
  jail_.low_ports = network_->binds_low_ports();
  return {};
}

Result<void> Setup::open() {
  kernel_ = TRY(read_kernel(options_));
  spec_.kernel = std::as_bytes(std::span(kernel_));
  generation_ =
      options_.abi
          ? *options_.abi
          : TRY(with_context(shown_kernel(options_), hyperlight::check_kernel_file(spec_.kernel)));
  spec_.generation = generation_;
  spec_.echo_tool = options_.echo_tool;
  spec_.trace_tools = options_.trace_tools;
  spec_.memory_size = options_.memory_bytes;
  spec_.environment = options_.env;
  if (!options_.initrd.empty()) {
    TRY(open_initrd());
  }
  for (const MountOption& mount : options_.mounts) {
    directories_.push_back(
        TRY(with_context("--mount", hyperlight::open_host_directory(mount.host))));
    spec_.mounts.push_back({directories_.back().get(), mount.guest, mount.read_only});
    jail_.directories.push_back({directories_.back().get(), mount.read_only});
  }
  if (options_.network) {
    TRY(open_network(*options_.network));
  }
  return options_.tools.empty() ? Result<void>() : start_tools();
}

Result<void> Setup::start_tools() {
  std::vector<ToolProgram> tools;
  for (const ToolProgram& tool : options_.tools) {
    tools.push_back(TRY(find_tool(tool)));
  }
  tools_.emplace(TRY(ToolServer::start(std::move(tools))));
  spec_.host_calls = tools_->tools();
  return {};
}

std::optional<int> Setup::refusal() const {
  if (!rootfs_ || options_.entry.empty()) {
    return std::nullopt;
  }
  const Result<void> program = rootfs_->check_program(options_.entry);
  if (program) {
    return std::nullopt;
  }
  (void)std::fprintf(stderr, "%s: %s\n", speaker(options_), program.error().message.c_str());
  return program.error().code == ErrorCode::NotFound     ? kNotFound
         : program.error().code == ErrorCode::Permission ? kNotLoadable
                                                         : kFailed;
}

Result<void> Setup::plan_program() {
  if (generation() == hyperlight::Generation::G1) {
    spec_.command_line = options_.argument_line
                             ? *options_.argument_line
                             : TRY(hyperlight::make_argument_line(options_.args));
    return {};
  }
  spec_.command_line =
      TRY(hyperlight::make_command_line(spec_.mounts, options_.entry, options_.args));
  return {};
}

Result<void> Setup::plan_starter() {
  if (!rootfs_) {
    return fail(ErrorCode::InvalidArgument, "no --initrd, and so nothing to take a snapshot of");
  }
  starter_ = TRY(with_context(options_.initrd, hyperlight::add_starter(*rootfs_)));
  spec_.initrd_tail = starter_->tail();
  spec_.command_line =
      TRY(hyperlight::make_command_line(spec_.mounts, hyperlight::kStarterPath, {}));
  return {};
}

Result<void> Setup::plan_snapshot() {
  return generation() == hyperlight::Generation::G1 ? plan_program() : plan_starter();
}

Result<Executor> Setup::make_executor() const {
  return choose_executor(options_.isolation, TRY(shim::StateRoot::path_for(options_.state_root)));
}

Result<hyperlight::Guest> Setup::make_guest(Executor* executor) const {
  return with_context(shown_kernel(options_),
                      hyperlight::Guest::create(spec_, std::move(executor->backend)));
}

Result<hyperlight::Guest> Setup::restore_guest(Executor* executor,
                                               const hyperlight::Snapshot& snapshot,
                                               int memory_fd) const {
  return hyperlight::Guest::restore(spec_, snapshot, memory_fd, std::move(executor->backend));
}

Result<void> Setup::enter_jail() const {
  return with_context("jail", boot::enter_jail(linux_sys(), jail_));
}

/// With the environment that kernels give their first program: PATH, unless it is named.
hyperlight::Program Setup::program() const {
  hyperlight::Program program;
  program.args.push_back(options_.entry);
  program.args.insert(program.args.end(), options_.args.begin(), options_.args.end());
  program.environment.emplace_back("PATH=/bin");
  for (const std::string& entry : options_.env) {
    set_variable(&program.environment, entry);
  }
  return program;
}

}  // namespace runhl::boot
