// SPDX-License-Identifier: Apache-2.0
// Loading a program into the current process.
//
//   Result<void> loaded = exec_init(config, failure);   // then post BootDone, wait for start
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "core/result.h"
#include "runhl/abi/boot.h"

namespace runhl::kernel {

/// Why the container's process cannot run, for the user: `exec: "/x": permission denied`.
struct BootFailure {
  std::array<char, 256> message{};  // NUL-terminated
};

/// Builds files, mounts, address space and the program of the container's init as `config` says,
/// for the current task, whose frame is zero. On success current().frame has rip, rsp and rflags.
/// The kernel has set up process, credentials and signals already. With start hooks the program is
/// looked for, and not loaded: they may change it.
/// Error: the errno for BootDone; `failure` holds the message.
Result<void> exec_init(const abi::BootConfig& config, BootFailure& failure);
/// Behind the start hooks: the program. Error: that for Started.
Result<void> exec_init_program(const abi::BootConfig& config, BootFailure& failure);

/// What the rest of the kernel must reset when a program replaces another one in this process:
/// signal handlers, alternate stack, FPU and segment bases, rewritten sites, clear_child_tid, name.
/// Called by exec after the point of no return, where ENOMEM is the end of the process; fills
/// `frame` for the new program's entry.
Result<void> start_new_program(std::uint64_t entry, std::uint64_t stack_pointer,
                               std::string_view name);

}  // namespace runhl::kernel
