// SPDX-License-Identifier: Apache-2.0
// All that a guest is made of, opened and looked at before anything runs.
//
//   Setup setup(options);
//   TRY(setup.open());
//   if (const std::optional<int> code = setup.refusal()) return *code;
//   Executor executor = TRY(setup.make_executor());
//   Guest guest = TRY(setup.make_guest(&executor));
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "boot/boot_options.h"
#include "boot/isolation.h"
#include "boot/jail.h"
#include "boot/tool_server.h"
#include "runhl/base/result.h"
#include "runhl/base/unique_fd.h"
#include "runhl/vmm/hyperlight/guest.h"
#include "runhl/vmm/hyperlight/rootfs_archive.h"
#include "runhl/vmm/hyperlight/starter.h"
#include "runhl/vmm/net/policy.h"

namespace runhl::boot {

class Setup {
 public:
  /// First of all: it remembers what the caller left open. `options` outlives it.
  explicit Setup(const BootOptions& options);
  Setup(const Setup&) = delete;
  Setup& operator=(const Setup&) = delete;
  Setup(Setup&&) = delete;
  Setup& operator=(Setup&&) = delete;
  ~Setup() = default;

  /// Kernel, archive, directories; the addresses of names that a list has.
  Result<void> open();
  /// The exit code where the archive has no such program as the options name, once it is told.
  [[nodiscard]] std::optional<int> refusal() const;

  /// The kernel starts the program.
  Result<void> plan_program();
  /// The kernel starts one that waits, which start() gives the program to.
  Result<void> plan_starter();
  /// What is booted for a snapshot to start programs from: plan_starter(), but in G1, where a guest
  /// that has booted has loaded its program and not started it.
  Result<void> plan_snapshot();
  /// Nothing but what a restored guest takes.
  void set_memory(std::uint64_t bytes) { spec_.memory_size = bytes; }

  [[nodiscard]] Result<Executor> make_executor() const;
  // Of these two the guest takes the backend.
  Result<vmm::hyperlight::Guest> make_guest(Executor* executor) const;
  Result<vmm::hyperlight::Guest> restore_guest(Executor* executor,
                                               const vmm::hyperlight::Snapshot& snapshot,
                                               int memory_fd) const;
  /// Nothing is opened any more.
  [[nodiscard]] Result<void> enter_jail() const;

  [[nodiscard]] vmm::hyperlight::Program program() const;
  [[nodiscard]] std::span<const std::byte> kernel() const { return spec_.kernel; }
  [[nodiscard]] vmm::hyperlight::Generation generation() const { return generation_; }

 private:
  Result<void> open_initrd();
  Result<void> open_network(const vmm::net::PolicySpec& policy);
  Result<void> start_tools();

  const BootOptions& options_;
  JailSpec jail_;
  std::string kernel_;
  UniqueFd initrd_;
  std::optional<vmm::hyperlight::RootfsArchive> rootfs_;
  std::optional<vmm::hyperlight::Starter> starter_;
  std::vector<UniqueFd> directories_;
  std::optional<vmm::net::Policy> network_;
  std::optional<ToolServer> tools_;
  vmm::hyperlight::Generation generation_{};
  vmm::hyperlight::GuestSpec spec_;
};

}  // namespace runhl::boot
