// SPDX-License-Identifier: Apache-2.0
// What a virtual CPU consists of, between two runs: the registers that callers set and read all the
// time, and the whole of it as Backend::save() and restore() carry it from one CPU to another.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace runhl::vmm {

struct Registers {
  std::uint64_t rax = 0, rcx = 0, rdx = 0, rbx = 0, rsp = 0, rbp = 0, rsi = 0, rdi = 0;
  std::uint64_t r8 = 0, r9 = 0, r10 = 0, r11 = 0, r12 = 0, r13 = 0, r14 = 0, r15 = 0;
  std::uint64_t rip = 0, rflags = 2;
};

/// Of a CPU in 64-bit mode and ring 0.
struct ControlRegisters {
  std::uint64_t cr0 = 0, cr2 = 0, cr3 = 0, cr4 = 0, efer = 0;
};

/// A segment register with its hidden part, as the instruction set names it.
struct Segment {
  std::uint64_t base = 0;
  std::uint32_t limit = 0;
  std::uint16_t selector = 0;
  std::uint8_t type = 0, present = 0, dpl = 0, db = 0, s = 0, l = 0, g = 0, avl = 0, unusable = 0;
  friend bool operator==(const Segment&, const Segment&) = default;
};

struct DescriptorTable {
  std::uint64_t base = 0;
  std::uint16_t limit = 0;
  friend bool operator==(const DescriptorTable&, const DescriptorTable&) = default;
};

/// The model-specific registers that guests may write.
struct SystemRegisters {
  std::uint64_t star = 0, lstar = 0, fmask = 0, kernel_gs_base = 0;
  std::uint64_t pat = 0x0007'0406'0007'0406;  // as after a reset
  friend bool operator==(const SystemRegisters&, const SystemRegisters&) = default;
};

// Their numbers, and the counter's: Intel SDM vol. 4.
inline constexpr std::uint32_t kMsrTsc = 0x10, kMsrPat = 0x277, kMsrStar = 0xc000'0081,
                               kMsrLstar = 0xc000'0082, kMsrFmask = 0xc000'0084,
                               kMsrKernelGsBase = 0xc000'0102;

/// Intel SDM vol. 1, 10.5.1: the image of FXSAVE64: x87, MXCSR, XMM0 to 15.
using FxsaveImage = std::array<std::byte, 512>;

/// As after FNINIT, MXCSR 0x1f80.
inline FxsaveImage initial_fpu() {
  FxsaveImage image{};
  image[0] = std::byte{0x7f};  // FCW 0x37f
  image[1] = std::byte{0x03};
  image[24] = std::byte{0x80};  // MXCSR 0x1f80
  image[25] = std::byte{0x1f};
  return image;
}

struct CpuState {
  Registers registers;
  ControlRegisters control;
  std::uint64_t cr8 = 0, apic_base = 0;
  std::uint64_t xcr0 = 1;
  Segment cs, ds, es, fs, gs, ss, tr, ldt;
  DescriptorTable gdt, idt;
  SystemRegisters system;
  std::uint64_t tsc = 0;  ///< its time-stamp counter; after restore() it goes on from here
  FxsaveImage fpu = initial_fpu();
};

/// What every backend runs: 64-bit mode with paging, privileged.
inline bool is_ring_0_of_64_bits(const CpuState& state) {
  // Intel SDM vol. 3A, 2.2.1 and 2.5.
  constexpr std::uint64_t kProtectedPaging = 1ULL | 1ULL << 31;  // of CR0
  constexpr std::uint64_t kPhysicalExtension = 1ULL << 5;        // of CR4
  constexpr std::uint64_t kLongMode = 1ULL << 8 | 1ULL << 10;    // of EFER
  const auto has = [](std::uint64_t value, std::uint64_t bits) { return (value & bits) == bits; };
  return has(state.control.cr0, kProtectedPaging) && has(state.control.cr4, kPhysicalExtension) &&
         has(state.control.efer, kLongMode) && state.cs.l == 1 && state.cs.dpl == 0 &&
         state.ss.dpl == 0;
}

}  // namespace runhl::vmm
