// SPDX-License-Identifier: Apache-2.0
// The signal frame of x86-64 Linux, which the host writes for us and we write for programs.
//
//   high  FPU image, 64-byte aligned (fpu.h)
//         SignalInfo
//         UserContext
//   low   return address (sa_restorer)        <- rsp in the handler, 16n + 8
#pragma once

#include <cstddef>
#include <cstdint>

#include "proc/task_signals.h"

namespace runhl::kernel {

struct StackWords {  // stack_t
  std::uint64_t address;
  std::int32_t flags;
  std::uint32_t padding;
  std::uint64_t size;
};

struct MachineContext {  // struct sigcontext (asm/sigcontext.h), asserted in signal_frame.cc
  std::uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
  std::uint64_t rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, rflags;
  std::uint16_t cs, gs, fs, ss;
  std::uint64_t error, trap, old_mask, fault_address;
  std::uint64_t fpstate;
  std::uint64_t reserved[8];
};

struct UserContext {  // struct ucontext
  std::uint64_t flags;
  std::uint64_t link;
  StackWords stack;
  MachineContext machine;
  SignalSet mask;
};

struct SignalFrame {
  std::uint64_t return_address;
  UserContext context;
  SignalInfo info;
};
static_assert(sizeof(MachineContext) == 256);
static_assert(sizeof(UserContext) == 304);
static_assert(sizeof(SignalFrame) == 440);

// uc_flags (asm/ucontext.h).
inline constexpr std::uint64_t kContextHasXstate = 1;
inline constexpr std::uint64_t kContextHasSs = 2;
inline constexpr std::uint64_t kContextStrictSs = 4;

/// Where a frame and its FPU image go below `stack_pointer`, as Linux places them.
struct FramePlace {
  std::uint64_t frame, fpu;
};
constexpr FramePlace place_signal_frame(std::uint64_t stack_pointer, std::size_t fpu_size) {
  const std::uint64_t fpu = (stack_pointer - fpu_size) & ~63ULL;
  return {((fpu - sizeof(SignalFrame)) & ~15ULL) - 8, fpu};
}

}  // namespace runhl::kernel
