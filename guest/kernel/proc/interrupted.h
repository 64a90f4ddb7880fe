// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace runhl::kernel {

/// What a system call returns inside the kernel for an EINTR that is one whatever the handler says,
/// where the dispatcher would let such a call begin again (proc/restart.h). Never seen by a
/// program.
inline constexpr int kInterrupted = 517;

}  // namespace runhl::kernel
