// SPDX-License-Identifier: Apache-2.0
// What locks.cc needs of the machine below it: the kernel's own implementation is in
// lock_host.cc, the unit tests have one over std::thread.
#pragma once

#include <cstdint>

#include "sched/lock_trace.h"

namespace runhl::kernel {

namespace lock_host {

inline constexpr unsigned kSpins = 100;  // about 3 us of pauses

void relax();              // one step of a spin
LockTrace* trace();        // of the current task; null: there is none yet
bool* kernel_lock_flag();  // "this task holds the kernel lock"; null: no task yet
void wait_word(std::uint32_t& word, std::uint32_t expected);
void wake_word(std::uint32_t& word);

}  // namespace lock_host

namespace detail {
/// The sleep primitive's way around KernelLock's guards. Drop returns whether it was held.
void kernel_lock_take();
bool kernel_lock_drop();
}  // namespace detail

}  // namespace runhl::kernel
