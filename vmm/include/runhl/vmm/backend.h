// SPDX-License-Identifier: Apache-2.0
// One virtual CPU with its physical memory, whatever executes it. What runs above (vmm/hyperlight)
// knows registers and exits, and nothing of who makes them.
//
//   TRY(backend->map(0x4000, {image_fd, 0, size, Access::ReadOnly}));
//   backend->set_control(…);  backend->set_registers(…);
//   for (;;) {
//     const CpuExit exit = TRY(backend->run());
//     if (exit.kind == ExitKind::Out) serve(exit.port, exit.value);   // and run() again
//   }
//
// One thread calls everything but kick().
#pragma once

#include <cstdint>

#include "runhl/base/result.h"
#include "runhl/vmm/cpu_state.h"

namespace runhl::vmm {

enum class Access : std::uint8_t { ReadOnly, ReadWrite };

/// Guest memory: a part of a file that host and guest map both. `offset` and `size` are multiples
/// of a page; what lies behind the file's end within its last page reads as zero.
struct SharedPart {
  int fd = -1;  ///< borrowed
  std::uint64_t offset = 0, size = 0;
  Access access = Access::ReadOnly;
};

enum class ExitKind : std::uint8_t {
  Out,       ///< OUT to a port; RIP is behind it
  In,        ///< IN from a port: nobody answers here, and the guest cannot go on
  Halt,      ///< HLT; RIP is behind it
  Shutdown,  ///< triple fault
  Memory,    ///< access to nothing, or a store into what is read-only
  Stopped,   ///< kick()
};

struct CpuExit {
  ExitKind kind = ExitKind::Halt;
  std::uint16_t port = 0;
  std::uint8_t size = 0;  ///< Out, In: bytes, 1, 2 or 4
  std::uint32_t value = 0;
  bool write = false;  ///< Memory: a store
};

class Backend {
 public:
  Backend() = default;
  virtual ~Backend() = default;
  Backend(const Backend&) = delete;
  Backend& operator=(const Backend&) = delete;
  Backend(Backend&&) = delete;
  Backend& operator=(Backend&&) = delete;

  /// Before the first run() alone. InvalidArgument: not aligned, overlapping, beyond the CPU's
  /// physical addresses.
  virtual Result<void> map(std::uint64_t guest_physical, const SharedPart& part) = 0;

  // Take effect with the next run().
  virtual void set_registers(const Registers& registers) = 0;
  /// Of a CPU after a reset: CS is flat, TR is empty, there is no GDT and no IDT.
  virtual void set_control(const ControlRegisters& control) = 0;
  /// As after FNINIT, MXCSR 0x1f80.
  virtual void reset_fpu() = 0;

  // As the last exit left them.
  [[nodiscard]] virtual const Registers& registers() const = 0;
  [[nodiscard]] virtual const ControlRegisters& control() const = 0;

  /// All of the CPU as the last run() left it. WrongState: it never ran, or was set since.
  virtual Result<CpuState> save() = 0;
  /// In place of the setters above; takes effect with the next run(), and may be followed by them.
  /// InvalidArgument: not in 64-bit mode and ring 0, or what this CPU cannot be.
  virtual Result<void> restore(const CpuState& state) = 0;

  /// Goes on until the next exit. Errors: Hypervisor; the backend is of no use afterwards.
  virtual Result<CpuExit> run() = 0;

  /// Ends the run that is going on, or else the next one, with Stopped. From any thread or signal
  /// handler.
  virtual void kick() = 0;
};

}  // namespace runhl::vmm
