// SPDX-License-Identifier: Apache-2.0
// What every attack uses: calls from kernel text, the ring, the reserved call, children.
#pragma once

#include <asm/unistd_64.h>
#include <linux/errno.h>

#include <cstddef>
#include <cstdint>

#include "runhl/abi/boot.h"
#include "runhl/abi/ring.h"

namespace hostile {

using runhl::abi::HostOp;
using runhl::abi::RequestSlot;
using runhl::abi::RingEntry;
using runhl::abi::RingOp;

inline std::int64_t call(std::uint64_t number, std::uint64_t a0 = 0, std::uint64_t a1 = 0,
                         std::uint64_t a2 = 0, std::uint64_t a3 = 0, std::uint64_t a4 = 0,
                         std::uint64_t a5 = 0) {
  register std::uint64_t r10 asm("r10") = a3;
  register std::uint64_t r8 asm("r8") = a4;
  register std::uint64_t r9 asm("r9") = a5;
  std::uint64_t result = number;
  asm volatile("syscall"
               : "+a"(result)
               : "D"(a0), "S"(a1), "d"(a2), "r"(r10), "r"(r8), "r"(r9)
               : "rcx", "r11", "memory");
  return static_cast<std::int64_t>(result);
}

[[noreturn]] inline void exit_cell(int status) {
  for (;;) {
    (void)call(__NR_exit_group, static_cast<std::uint64_t>(status));
  }
}

inline runhl::abi::HostCallHeader& header() {
  return *reinterpret_cast<runhl::abi::HostCallHeader*>(runhl::abi::kHostCallArea);
}
inline runhl::abi::Ring& ring() {
  return *reinterpret_cast<runhl::abi::Ring*>(runhl::abi::kHostCallArea + runhl::abi::kRingsOffset);
}
inline RequestSlot& slot(std::uint32_t index) {
  return *reinterpret_cast<RequestSlot*>(runhl::abi::kHostCallArea + runhl::abi::kSlotsOffset +
                                         index * sizeof(RequestSlot));
}
inline char* bounce(std::uint32_t index) {
  return reinterpret_cast<char*>(runhl::abi::kHostCallArea + runhl::abi::kBounceOffset +
                                 index * runhl::abi::kBounceSize);
}
inline const runhl::abi::BootConfig& config() {
  return *reinterpret_cast<const runhl::abi::BootConfig*>(runhl::abi::kMonitorArea +
                                                          runhl::abi::kBootConfigOffset);
}

/// The nth argument of the container, "" beyond the last.
const char* argument(std::uint32_t index);
std::uint64_t number(const char* text);
bool equal(const char* a, const char* b);
std::size_t length(const char* text);

void doorbell();
void submit(const RingEntry& entry);
/// Waits for the next completion.
runhl::abi::RingCompletion wait_completion();

/// The bounce buffer's text to stdout; waits until it is written.
void print(const char* text);
void boot_done();
void wait_for_start();
/// The container's end, in order.
[[noreturn]] void finish(int code);
/// finish(1) and a line that names the reason, when `condition` does not hold.
void check(bool condition, const char* what, std::int64_t value = 0);

/// A fresh slot for an operation on the root tree with the configured credentials.
RequestSlot& request(std::uint32_t index, HostOp op, const char* path);
std::int64_t reserved_call(std::uint64_t index);

/// A new cell that runs `run` on a stack of its own and then ends. -errno: refused.
std::int64_t spawn(void (*run)(std::uint64_t argument), std::uint64_t argument);
/// Waits for any child. @return its wait status
int reap();
/// What `run` ends with in a cell of its own.
int status_of(void (*run)(std::uint64_t argument), std::uint64_t argument);
inline int signal_of(int status) {
  return status & 0x7f;
}

/// Signals that came; SIGSYS counts as a trap and the call answers ENOSYS.
struct Signals {
  std::uint32_t traps;
  std::uint32_t faults;
};
Signals& signals();

}  // namespace hostile

extern "C" {
void hostile_int80(std::uint64_t number, const std::uint32_t* arguments);
std::uint64_t hostile_try_store(std::uint64_t address, std::uint64_t value);
extern const char hostile_try_store_fault[];
std::int64_t hostile_clone(std::uint64_t flags, std::uint64_t stack, void (*run)());
}
