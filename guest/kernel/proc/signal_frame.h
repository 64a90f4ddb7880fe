// SPDX-License-Identifier: Apache-2.0
// Between a program's registers and the signal frame on its stack.
#pragma once

#include "arch/x86_64/signal_layout.h"
#include "core/result.h"
#include "proc/signals.h"

namespace runhl::kernel {

/// Writes the frame for `action` and makes `frame` enter its handler. EFAULT: the stack is not
/// there. The mask and SA_RESETHAND are the caller's.
Result<void> push_signal_frame(Task& task, UserFrame& frame, const SignalAction& action,
                               const SignalInfo& info, SignalSet mask_to_restore);

/// rt_sigreturn: registers, FPU, mask and alternate stack from the frame at the program's rsp.
Result<void> pop_signal_frame(Task& task, UserFrame& frame);

/// sigaltstack(2)'s view of the current stack.
StackWords describe_stack(const Task& task, std::uint64_t stack_pointer);
bool on_alternate_stack(const Task& task, std::uint64_t stack_pointer);
/// EPERM: it is in use. EINVAL, ENOMEM (too small).
Result<void> set_alternate_stack(Task& task, const StackWords& fresh, std::uint64_t stack_pointer);

}  // namespace runhl::kernel
