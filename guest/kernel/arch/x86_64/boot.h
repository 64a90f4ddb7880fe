// SPDX-License-Identifier: Apache-2.0
// From the launch stub to the container's init.
//
//   cell 0                                        cell 1 (guest pid 1's process)
//   ------                                        ------
//   runhl_boot_cell0: own carrier, checks, heap,
//     clocks, vCPUs; gives vCPU 0 away
//   clone ------------------------------------->  own carrier with vCPU 0, idle task
//   cell0_loop: sleep on cell0_word                 init task: credentials, files, program
//     reap cells; kick what runs                    BootDone; wait for kEventStart; user code
#pragma once

namespace runhl::kernel {

/// Slots: cell 0 keeps the launcher's, cell 1 has the next one.
inline constexpr unsigned kCell0Slot = 0;
inline constexpr unsigned kCell1Slot = 1;

/// proc/boot.cc: makes the init task and its process, runnable; a failure is reported as BootDone.
void boot_start_init();

/// host/cell0.cc: the rest of cell 0's life.
[[noreturn]] void cell0_loop();

}  // namespace runhl::kernel
