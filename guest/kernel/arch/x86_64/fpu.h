// SPDX-License-Identifier: Apache-2.0
// FPU state of programs. The kernel itself uses no FPU register, so the state stays in the
// registers until another task's program is to run.
#pragma once

#include <cstddef>
#include <cstdint>

namespace runhl::kernel {

struct Task;

/// Reads CPUID: components, sizes, instructions. Once at boot.
void fpu_init(bool has_fsgsbase);

/// An area with the initial state (all default, MXCSR 0x1f80); null: out of memory.
std::byte* fpu_area_create();
void fpu_area_free(std::byte* area);

/// Registers and segment bases of the program <-> the task. For the running carrier.
void user_state_save(Task& task);
void user_state_load(const Task& task);
/// The running program's state, for a new task.
void user_state_copy(Task& to);

/// The initial state into the registers, for a new program.
void fpu_reset();
/// Restores the FPU image of a host signal frame (ucontext's fpstate), without the protection-key
/// register: the host has reset the registers before it called our handler.
void fpu_restore_signal_frame(const void* fpstate);

// The image in a guest signal frame: standard XSAVE layout with the software-reserved bytes that
// Linux writes (FP_XSTATE_MAGIC1, MAGIC2 behind it).
std::size_t fpu_frame_size();
/// `image` is 64-byte aligned kernel memory of fpu_frame_size() bytes.
void fpu_save_frame(std::byte* image);
/// A copied-in image, which a program may have changed. False: it is not a state that the CPU
/// takes.
bool fpu_load_frame(std::byte* image, std::size_t size);

void set_user_fs_base(std::uint64_t value);
std::uint64_t user_fs_base();
bool has_fsgsbase();

}  // namespace runhl::kernel
