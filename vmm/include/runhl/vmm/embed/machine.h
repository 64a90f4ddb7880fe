// SPDX-License-Identifier: Apache-2.0
// An upstream kernel with its program, inside the process of whoever embeds it.
//
//   embed::Options options;
//   options.kernel = "elfloader_hyperlight-x86_64";
//   options.initrd = "root.cpio";
//   options.program = {"/bin/driver"};
//   options.functions = {{"shop.price", [](std::string_view item) { return price_of(item); }}};
//   Machine machine = TRY(Machine::create(options));
//   TRY(machine.boot());                                     // its program runs, and waits
//   const CallReply reply = TRY(machine.call("quote", std::array{std::string_view("tea")}));
//
//        boot()         wait()
//   made ──────► booted ──────► ended                  call() as often as wanted, while it is
//   booted
//     └──────────────┴────────────► failed             the guest broke a rule, or stop() was called
//
// Nothing of the host is granted but what the options name. The guest's requests are served in the
// calling thread, within boot(), call() and wait(); one thread calls everything but stop().
//
// This process is not jailed: whoever breaks out of the guest has what it has. `runhl boot` puts
// itself behind a filter of system calls and Landlock first; an embedder decides that for itself.
// In a machine of isolation vm, SIGRTMIN of the calling thread belongs to the library; in one of
// isolation emulated, a child process does, which is not to be waited for by others.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "runhl/base/result.h"
#include "runhl/vmm/hyperlight/guest.h"
#include "runhl/vmm/net/policy.h"

namespace runhl::vmm::embed {

using hyperlight::CallReply;
using hyperlight::HostCall;
using hyperlight::Stream;

/// What executes the guest.
enum class Executor : std::uint8_t {
  Any,       ///< KVM where it is real hardware, else the software CPU
  Vm,        ///< KVM, or an error
  Emulated,  ///< the software CPU
};

/// A host directory that the guest gets.
struct Directory {
  std::string host;   ///< path
  std::string guest;  ///< absolute
  bool read_only = false;
};

inline constexpr std::uint64_t kDefaultMemory = std::uint64_t{512} << 20U;

struct Options {
  std::string kernel;  ///< path of its file: of generation G2 or G3
  std::string initrd;  ///< path of a newc archive, not compressed; empty: none
  std::uint64_t memory_bytes = kDefaultMemory;
  /// Its path in the archive and its arguments. Empty: the kernel looks for a driver.
  std::vector<std::string> program;
  std::vector<std::string> environment;  ///< "KEY=VALUE"
  std::vector<Directory> directories;
  std::optional<net::PolicySpec> network;  ///< none: no network at all
  /// That the program may call while it serves a call; they throw nothing.
  std::vector<HostCall> functions;
  /// What the program prints, and the kernel's complaints (Err), in pieces as they come; it
  /// does not call the machine, and throws nothing. None: this process's standard output and error.
  std::function<void(Stream stream, std::string_view text)> on_output;
  /// Told of each host function that the guest calls, as GuestSpec::on_request: for audits.
  std::function<void(std::string_view name)> on_request;
  int input = -1;  ///< borrowed; what the program reads. -1: nothing
  Executor executor = Executor::Any;
  std::string emulator;  ///< path of runhl-emu (a program under GPL-2.0-only); empty: there is none
};

class Machine {
 public:
  /// Opens what the options name; nothing runs yet. Errors: InvalidArgument, NotFound, Permission,
  /// Unsupported, about a file, the program or an option, which the message names; Hypervisor.
  static Result<Machine> create(const Options& options);
  ~Machine();
  Machine(Machine&& other) noexcept;
  Machine& operator=(Machine&& other) noexcept;
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

  /// Boots the kernel and runs its program to its end or its first wait. WrongState: not the first
  /// time. GuestFault: the kernel gave up.
  Result<void> boot();

  /// Runs the program to its end. Its exit status, 0 to 255, or 128 + n where signal n killed it.
  /// GuestFault: it waits for what cannot happen, or broke a rule of the contract.
  Result<int> wait();

  /// Has the program, which is a driver, serve a call, and waits for its answer. InvalidArgument:
  /// larger than a message may be. NotFound: the program serves no calls. WrongState: it has ended,
  /// or did so instead of answering.
  Result<CallReply> call(std::string_view function, std::span<const std::string_view> arguments);

  /// Ends a call of the three above with Timeout, at once or the next one; the machine has failed.
  /// From any thread or signal handler, as long as the machine exists.
  void stop();

  /// "vm" or "emulated": what executes it.
  [[nodiscard]] std::string_view isolation() const;

 private:
  struct Impl;
  explicit Machine(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace runhl::vmm::embed
