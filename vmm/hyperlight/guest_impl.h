// SPDX-License-Identifier: Apache-2.0
// What a Guest consists of; guest.cc runs it, guest_snapshot.cc writes it down.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "hyperlight/abort.h"
#include "hyperlight/file_tools.h"
#include "hyperlight/guest_memory.h"
#include "hyperlight/host_files.h"
#include "hyperlight/host_functions.h"
#include "hyperlight/host_services.h"
#include "hyperlight/host_sockets.h"
#include "hyperlight/json_tools.h"
#include "hyperlight/layout.h"
#include "hyperlight/socket_tools.h"
#include "hyperlight/transport.h"
#include "runhl/base/unique_fd.h"
#include "runhl/vmm/hyperlight/guest.h"

namespace runhl::vmm::hyperlight {

/// Stays where it is: host functions point into it.
struct Guest::Impl {
  Impl(const GuestSpec& spec, const Layout& where, GuestMemory&& contents,
       std::unique_ptr<Backend> cpu);
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  Impl(Impl&&) = delete;
  Impl& operator=(Impl&&) = delete;
  ~Impl() = default;

  Result<void> run_to_halt();
  Result<bool> serve(const CpuExit& exit);  // true: the guest halted
  Result<bool> serve_out(const CpuExit& exit);
  Result<bool> print(const CpuExit& exit);
  [[nodiscard]] bool is_idle_device(const CpuExit& exit) const;
  Result<void> take_halt_state();
  Result<void> enter();
  Result<void> call(std::string_view function, std::span<const std::string_view> texts = {});
  Result<void> go_on();
  Result<void> checkpoint();
  [[nodiscard]] Result<void> sleep(std::optional<std::uint64_t> ns) const;  // none: no timer
  Result<Bytes> answer(std::span<const std::byte> payload);
  void log(std::span<const std::byte> payload);
  [[nodiscard]] Registers first_registers() const;

  Layout layout;
  GuestMemory memory;
  std::unique_ptr<Backend> backend;
  BootAnswers boot_answers;
  Console console;
  std::vector<HostCall> host_calls;
  std::function<void(std::string_view name)> on_request;
  Events events;
  HostFiles files;
  HostSockets sockets;
  // G1.
  MountedFiles mounted_files;
  SocketTools socket_tools;
  JsonTools tools;

  HostFunctions functions;
  std::unique_ptr<Transport> transport;
  AbortMessage abort_message;
  std::uint64_t entry = 0, code_size = 0;  // the kernel's, of its file
  std::uint64_t dispatch = 0, dispatch_stack = 0;
  bool flush = false;  // to be told with the next call that memory changed beneath it
  std::uint64_t snapshots = 0;
  Mapping initrd;  // as the guest sees it
  std::atomic<bool> stopped{false};
};

}  // namespace runhl::vmm::hyperlight
