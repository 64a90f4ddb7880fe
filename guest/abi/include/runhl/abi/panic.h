// SPDX-License-Identifier: Apache-2.0
// What a dying guest kernel sends with RingOp::Panic; the monitor symbolises the addresses.
#pragma once

#include <array>
#include <cstdint>

namespace runhl::abi {

inline constexpr unsigned kMaxBacktrace = 32;

struct PanicReport {
  std::array<std::uint64_t, 18> registers;  // rax rbx rcx rdx rsi rdi rbp rsp r8..r15 rip rflags
  std::uint64_t fault_address;
  std::uint32_t signal;  // host signal that was not ours to handle, 0: a failed check
  std::uint32_t task;    // guest thread id, 0: none
  std::uint32_t backtrace_length;
  std::uint32_t reserved;
  std::array<std::uint64_t, kMaxBacktrace> backtrace;
  std::array<char, 16> task_name;
  std::array<char, 256> message;  // NUL-terminated
};

}  // namespace runhl::abi
