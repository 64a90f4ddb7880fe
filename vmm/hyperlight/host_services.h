// SPDX-License-Identifier: Apache-2.0
// The host functions of a guest to which nothing was granted: its console, the time, what it boots
// with, and the events by which it says how its program fares.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hyperlight/host_functions.h"
#include "runhl/vmm/hyperlight/guest.h"

namespace runhl::vmm::hyperlight {

/// What the guest asks for while it boots, or when it goes on from a snapshot. Outlives the
/// functions.
struct BootAnswers {
  std::string command_line;
  std::string environment;  ///< KEY=VALUE and a NUL, each
  std::string mounts;       ///< entries of the mount table, separated by blanks
  std::uint64_t exception_stack = 0;
  std::uint64_t initrd_size = 0;  ///< whole pages; 0: none
  std::uint64_t scratch_size = 0;
};

struct Console {
  int in = 0, out = 1, err = 2;
  std::function<void(Stream stream, std::string_view text)> take;  ///< in place of out and err
  std::string tail;  ///< the last of what went to `err`: what a crash report says
};

/// Of one entry into the guest.
struct Events {
  std::optional<int> exited;
  std::optional<CallReply> done;            ///< the call that was made
  bool rejected = false;                    ///< it was: nobody reads calls
  std::optional<std::uint64_t> yielded_ns;  ///< to its earliest timer; 0: it has none
};

// The arguments outlive `functions`.
void add_boot_functions(HostFunctions* functions, const BootAnswers* answers);
void add_console_functions(HostFunctions* functions, Generation generation, Console* console);
void add_clock_functions(HostFunctions* functions);
void add_event_functions(HostFunctions* functions, Events* events);
void add_host_calls(HostFunctions* functions, const std::vector<HostCall>* calls);

class HostFiles;
class HostSockets;
class JsonTools;

/// What a guest can be given; null: it was not granted, and no function of it exists.
struct HostServices {
  const BootAnswers* boot = nullptr;
  Console* console = nullptr;
  Events* events = nullptr;
  const HostFiles* files = nullptr;
  HostSockets* sockets = nullptr;
  const std::vector<HostCall>* host_calls = nullptr;
  const JsonTools* tools = nullptr;  ///< what `__dispatch` asks, the one way to all else in G1
};
/// The whole table. docs/host-functions.md is printed from it.
void add_host_functions(HostFunctions* functions, Generation generation,
                        const HostServices& services);

std::uint64_t wall_clock_ns();  ///< since 1970
void write_console_error(Console* console, std::string_view text);

}  // namespace runhl::vmm::hyperlight
