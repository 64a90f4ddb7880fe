// SPDX-License-Identifier: Apache-2.0
// How a system call site can be made a jump, and the bytes of it. Pure.
//
//   form   site                              becomes           slot (in an annex)
//   A      mov $nr, %eax; syscall            jmp slot; syscall mov $nr, %eax; lea back(%rip), %rcx;
//                                                              jmp *entry(%rip)
//   B      insns (>= 5 bytes); syscall       jmp slot …; syscall
//                                                              insns; lea back(%rip), %rcx;
//                                                              jmp *entry(%rip)
//   C      syscall; insn (>= 3 bytes)        jmp slot …        lea copy(%rip), %rcx;
//                                                              jmp *entry(%rip);
//                                                              copy: insn; jmp behind insn
//
// A and B leave the syscall instruction: what jumps to it merely traps. In C a jump to the
// instruction behind it meets a byte of the distance, chosen so that it is invalid: the SIGILL goes
// on in the copy. In B nothing may jump between the moved instructions: where the text near the
// site has such a branch, or where the boundaries of the instructions are in doubt, the site goes
// on trapping.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

namespace runhl::kernel {

enum class Form : std::uint8_t { A, B, C };

inline constexpr std::uint64_t kSyscallSize = 2;
inline constexpr std::uint64_t kJumpSize = 5;
inline constexpr std::uint64_t kSlotSize = 64;
inline constexpr std::uint64_t kMaxMoved = 32;  // bytes of moved instructions

using JumpBytes = std::array<std::uint8_t, kJumpSize>;
using SlotBytes = std::array<std::uint8_t, kSlotSize>;

/// Program text: `bytes` lie at address `at`.
struct ProgramText {
  std::uint64_t at = 0;
  std::span<const std::uint8_t> bytes;

  [[nodiscard]] bool holds(std::uint64_t address, std::uint64_t size) const {
    return address >= at && address - at <= bytes.size() && size <= bytes.size() - (address - at);
  }
  [[nodiscard]] std::span<const std::uint8_t> from(std::uint64_t address) const {
    return bytes.subspan(address - at);
  }
};

/// A site that is, or is to be, a jump.
struct Patch {
  std::uint64_t start = 0;  // where the jump lies
  std::uint64_t slot = 0;
  Form form = Form::A;
  std::uint8_t moved = 0;  // bytes of the instructions that the slot executes instead

  /// The syscall instruction, or where it was.
  [[nodiscard]] std::uint64_t call() const { return form == Form::C ? start : start + moved; }
  /// Where the moved instructions were, and where in the slot they are.
  [[nodiscard]] std::uint64_t moved_from() const {
    return form == Form::C ? start + kSyscallSize : start;
  }
  [[nodiscard]] std::uint64_t moved_to() const;
};

/// How to rewrite the syscall instruction at `call`, which was seen to make call `number`; slot is
/// left open. `text` holds it with as much around it as is executable, up to kTextAround each way.
std::optional<Patch> plan_site(const ProgramText& text, std::uint64_t call, std::uint32_t number);
inline constexpr std::uint64_t kTextAround = 2000;

/// Whether `slot` may be the one of `patch`: in reach, and for form C with an invalid opcode where
/// the next instruction was.
bool slot_suits(const Patch& patch, std::uint64_t slot);

/// The jump for a patch whose slot is set.
JumpBytes encode_jump(const Patch& patch);
/// The slot's bytes; `entry_pointer` is where runhl_fast_entry's address lies. Nothing if an
/// address that the moved instructions name is out of reach.
std::optional<SlotBytes> encode_slot(const Patch& patch, const ProgramText& text,
                                     std::uint32_t number, std::uint64_t entry_pointer);

/// An instruction pointer in the slot as the program may see it. Registers agree but for those that
/// a system call leaves undefined.
std::uint64_t original_address(const Patch& patch, std::uint64_t in_slot);
/// Where a program goes on that means the original instruction at `rip`, which the jump has
/// overwritten; `rip` itself where it has not.
std::uint64_t resume_address(const Patch& patch, std::uint64_t rip);

}  // namespace runhl::kernel
