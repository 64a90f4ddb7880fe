// SPDX-License-Identifier: Apache-2.0
// A carrier: the host thread of a cell that executes guest code. It lives in its slot
// (abi/layout.h) and %gs points to it for the whole life of the thread.
//
//   %gs ──► Carrier ──► Vcpu (the run token; null while the carrier holds none) ──► current Task
//             └──► Cell, in which it can run tasks
//
// It begins in carrier_loop() on its idle stack (sched/scheduler.h), and comes back there whenever
// it has nothing to run.
//
// Signal handlers find it from their stack address, since the program may have changed %gs.
#pragma once

#include <atomic>
#include <cstdint>

#include "runhl/abi/layout.h"

namespace runhl::kernel {

struct Cell;
struct Task;
struct UserFrame;
struct Vcpu;

/// What a host signal that interrupted a program said; read once on the kernel stack.
struct SignalEntry {
  int signal = 0;
  int code = 0;
  std::uint64_t address = 0;  // si_addr
  std::uint32_t trap = 0;     // x86 vector
  std::uint32_t error = 0;    // x86 error code; SIGSYS: the architecture
};

struct Carrier {
  Carrier* self;
  std::uint64_t user_rsp;          // of a fast entry, until it is pushed
  std::uint64_t kernel_stack_top;  // of the current task; its UserFrame lies right below
  std::uint64_t exit_rip;          // of an exit, for its last jump
  std::atomic<Vcpu*> vcpu;         // given by the carrier that had it before
  std::uint64_t give_up_rsp;       // in what may be given up: a saved context (give_up.inc)
  std::uint64_t long_copy;         // copies of so many bytes may be given up; 0: all
  // What follows is for C++ alone.
  std::uint32_t index;              // slot number
  std::atomic<std::int32_t> tid;    // host thread id in the cells' pid namespace; 0: none
  std::atomic<std::int32_t> cell;   // host process id there
  std::atomic<std::uint32_t> word;  // futex: changes when `vcpu` was given
  std::atomic<bool> waits;          // for `word`, or is about to
  std::atomic<bool> adopted;        // it has its slot: signals may come
  std::atomic<bool> awake;          // it has taken `vcpu`
  std::atomic<bool> end_ordered;    // the kernel itself ends this cell
  Cell* home;                       // holds a count; null: cell 0
  std::uint64_t idle_rsp;           // its context in carrier_loop, while a task runs
  Carrier* chosen;                  // the task that left it found this one next
  std::atomic<bool> died;           // killed from outside; see proc/cell_death.h
  Task* running;                    // died: the task that goes on elsewhere
  Task* fpu_owner;                  // whose FPU state is in this thread's registers
  bool in_vdso;                     // the kernel runs vdso code: its signals are the kernel's
  bool gs_user;                     // the program was seen with a %gs of its own
  bool tick_made;                   // host timer exists
  std::int32_t tick_timer;          // its id
  std::int64_t tick_deadline;       // what it is armed for, 0: disarmed
  SignalEntry entry;
  std::int32_t copy_fault;  // the signal that the last copy from or to user memory ran into
};

/// The first word of a slot; overwritten only by an overflow of the slot below.
inline constexpr std::uint64_t kSlotCanaryValue = 0x79'7261'6e61'6321;

inline std::uint64_t slot_address(std::uint32_t index) {
  return abi::kCarrierSlots + std::uint64_t{index} * abi::kCarrierSlotSize;
}
inline Carrier& carrier_in_slot(std::uint32_t index) {
  // SAFETY: slots are mapped for the life of the kernel and hold a Carrier at this offset.
  return *reinterpret_cast<Carrier*>(slot_address(index) + abi::kSlotCarrier);
}
inline std::uint64_t idle_stack_top(std::uint32_t index) {
  return slot_address(index) + abi::kSlotIdleStack + abi::kSlotIdleStackSize;
}

/// Not kept across a sleep.
inline Carrier& this_carrier() {
  Carrier* carrier = nullptr;
  // SAFETY: %gs is set before any C++ that asks, and repaired by every signal entry.
  asm volatile("mov %%gs:0, %0" : "=r"(carrier));
  return *carrier;
}

/// The carrier of the thread whose first frames lie on an idle stack.
inline Carrier& carrier_of_stack() {
  const auto here = reinterpret_cast<std::uint64_t>(__builtin_frame_address(0));
  return carrier_in_slot(
      static_cast<std::uint32_t>((here - abi::kCarrierSlots) / abi::kCarrierSlotSize));
}

/// Makes slot `index` a carrier of `home`; the thread that will use it need not be there yet.
Carrier& carrier_init(std::uint32_t index, Vcpu* vcpu, Cell* home);
/// First acts of a thread on its own slot: gs base and signal stack.
void carrier_adopt(Carrier& carrier);
/// After the clone: the host process that the carrier is the first thread of. False: it has ended
/// and was reaped already, and its slot is free.
bool carrier_publish(Carrier& carrier, std::int32_t pid);
/// Debug builds: panics when the canary or the carrier's self pointer was overwritten.
void carrier_check(const Carrier& carrier);

}  // namespace runhl::kernel
