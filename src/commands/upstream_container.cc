// SPDX-License-Identifier: Apache-2.0
#include "commands/upstream_container.h"

#include <fcntl.h>

#include <memory>
#include <optional>
#include <utility>

#include "boot/boot_file.h"
#include "boot/choice.h"
#include "image_helper.h"
#include "runhl/base/log.h"
#include "runhl/base/one_line.h"
#include "runhl/oci/config.h"
#include "runhl/vmm/kvm/linux_kvm.h"
#include "runhl/vmm/upstream/machine.h"
#include "version.h"

namespace runhl {
namespace {

constexpr const char* kKernelAnnotation = "dev.runhl.kernel";
constexpr auto kKind = oci::ArtifactKind::Kernel;

/// All that the machine needs of the host, open while the monitor sets it up.
struct UpstreamHost {
  std::string executable;
  std::string kernel_name;
  boot::BootFile kernel;
  UniqueFd kvm;
};

Result<shim::GuestKind> our_kind(const std::string& isolation) {
  if (isolation == "vm") {
    return fail(ErrorCode::Unsupported,
                "--isolation=vm: our kernel has no machine for KVM yet; use cell or auto, or an "
                "upstream kernel (--kernel)");
  }
  if (isolation == "emulated") {
    return fail(ErrorCode::Unsupported,
                "--isolation=emulated: only upstream kernels run emulated (--kernel), others in "
                "cells");
  }
  if (isolation == "auto") {
    log_debug("isolation: auto takes cell");
  }
  shim::GuestKind kind;
  kind.factory = cell_factory();
  return kind;
}

/// As far as the caller lets it be executed.
Result<void> choose_cpu(const GlobalOptions& globals, UpstreamHost* host) {
  const boot::Choice choice = TRY(boot::parse_isolation(globals.isolation));
  std::string why;
  if (choice != boot::Choice::Emulated) {
    const vmm::kvm::Probe found =
        boot::find_kvm(choice, TRY(shim::StateRoot::path_for(globals.root)));
    if (found.usable()) {
      host->kvm.reset(::open(vmm::kvm::kDevicePath, O_RDWR | O_CLOEXEC));
      return host->kvm ? Result<void>() : Result<void>(fail_errno(vmm::kvm::kDevicePath));
    }
    if (choice == boot::Choice::Vm) {
      return fail(ErrorCode::Unsupported, "--isolation=vm: " + found.reason);
    }
    why = found.reason;
  }
  TRY(libexec_path("runhl-emu"));
  if (!why.empty()) {
    log_warn("isolation: emulated, which is slow ({})", why);
  }
  return {};
}

Result<shim::GuestKind> upstream_kind(const GlobalOptions& globals, std::string name,
                                      boot::BootFile kernel) {
  auto host = std::make_shared<UpstreamHost>();  // shared: with the factory, which is copied
  host->kernel_name = one_line(std::move(name));
  host->kernel = std::move(kernel);
  host->executable = TRY(libexec_path("runhl-boot"));
  TRY(choose_cpu(globals, host.get()));
  shim::GuestKind kind;
  kind.isolation = host->kvm ? vmm::Isolation::Vm : vmm::Isolation::Emulated;
  kind.upstream_kernel = host->kernel_name;
  kind.descriptors = {host->kernel.fd.get(), host->kvm.get()};
  kind.factory = [host = std::move(host)](vmm::MachineSpec spec) {
    return vmm::upstream::create(std::move(spec), {.executable = host->executable,
                                                   .version = version_text(),
                                                   .kernel = host->kernel.fd.get(),
                                                   .kvm = host->kvm.get()});
  };
  return kind;
}

/// None: config.json does not ask for one.
Result<std::optional<boot::BootFile>> annotated_kernel(const oci::Config& config,
                                                       const std::string& store,
                                                       std::string* name) {
  const auto annotation = config.annotations.find(kKernelAnnotation);
  if (annotation == config.annotations.end()) {
    return std::nullopt;
  }
  const std::string pointer = std::string("/annotations/") + kKernelAnnotation;
  *name = annotation->second;
  if (name->empty() || name->starts_with('/') || name->starts_with('.')) {
    return fail(ErrorCode::InvalidArgument,
                pointer + ": \"" + one_line(*name) +
                    "\" is no kernel of the store (runhl kernel ls); a file is for --kernel");
  }
  Result<boot::BootFile> kernel =
      boot::open_stored_file(kKind, *name, {.store = store, .pull_missing = false});
  if (!kernel) {
    return tl::unexpected(with_context(pointer, std::move(kernel)).error());
  }
  return std::move(*kernel);
}

}  // namespace

Result<void> check_isolation_word(const std::string& isolation) {
  const bool known =
      isolation == "auto" || isolation == "cell" || isolation == "vm" || isolation == "emulated";
  return known ? Result<void>()
               : fail(ErrorCode::InvalidArgument,
                      "--isolation: \"" + isolation + "\" is none of vm, cell, emulated, auto");
}

shim::GuestChooser guest_chooser(const GlobalOptions& globals, const VerbOptions& verb,
                                 boot::BootFileOptions kernels) {
  return [&globals, &verb,
          kernels = std::move(kernels)](const oci::Config& config) -> Result<shim::GuestKind> {
    std::string name = verb.kernel.empty() ? globals.kernel : verb.kernel;
    if (!name.empty()) {
      boot::BootFile kernel =
          TRY(with_context("--kernel", boot::open_boot_file(kKind, name, kernels)));
      return upstream_kind(globals, std::move(name), std::move(kernel));
    }
    std::optional<boot::BootFile> kernel = TRY(annotated_kernel(config, kernels.store, &name));
    return kernel ? upstream_kind(globals, std::move(name), std::move(*kernel))
                  : our_kind(globals.isolation);
  };
}

}  // namespace runhl
