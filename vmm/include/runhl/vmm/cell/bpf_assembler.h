// SPDX-License-Identifier: Apache-2.0
// A classic BPF program written with labels and assembled at compile time. Counting jump offsets
// by hand goes wrong silently, and a filter that is wrong silently allows.
//
//   constexpr auto kFilter = assemble<[](BpfAssembler& p) {
//     const auto refuse = p.label();
//     p.load(offsetof(seccomp_data, nr));
//     p.jump_unless_equal(__NR_close, refuse);
//     p.answer(SECCOMP_RET_ALLOW);
//     p.bind(refuse);
//     p.answer(SECCOMP_RET_KILL_PROCESS);
//   }>();                                        // std::array<sock_filter, 4>
//
// A label that is never bound, bound twice or out of reach does not compile.
#pragma once

#include <linux/filter.h>
#include <linux/seccomp.h>

#include <array>
#include <cstddef>
#include <cstdint>

namespace runhl::vmm::cell {

// Where a filter finds the arguments of a call. The host reads an int argument from its low half
// and ignores the rest, so that is what is tested. Arguments that it reads whole (sizes, pointers)
// are tested whole.
constexpr std::size_t low(std::size_t argument) {
  return offsetof(seccomp_data, args) + 8 * argument;
}
constexpr std::size_t high(std::size_t argument) {
  return low(argument) + 4;
}

inline constexpr std::uint32_t kX32Bit = 0x4000'0000;  // __X32_SYSCALL_BIT

class BpfAssembler {
 public:
  struct Label {
    std::size_t id;
  };

  constexpr Label label() {
    check(labels_ < kMaxLabels);
    return {labels_++};
  }

  /// The label stands for the next instruction. Jumps lead forward only.
  constexpr void bind(Label label) {
    check(targets_[label.id] == kUnbound);
    targets_[label.id] = size_;
  }

  /// A = 32 bits of the data at `offset`.
  constexpr void load(std::size_t offset) {
    emit(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(offset));
  }
  constexpr void mask(std::uint32_t bits) { emit(BPF_ALU | BPF_AND | BPF_K, bits); }
  constexpr void subtract(std::uint32_t value) { emit(BPF_ALU | BPF_SUB | BPF_K, value); }
  constexpr void answer(std::uint32_t action) { emit(BPF_RET | BPF_K, action); }

  constexpr void jump_if_equal(std::uint32_t value, Label to) {
    jump(BPF_JEQ, value, &to, nullptr);
  }
  constexpr void jump_unless_equal(std::uint32_t value, Label to) {
    jump(BPF_JEQ, value, nullptr, &to);
  }
  /// Unsigned.
  constexpr void jump_if_above(std::uint32_t value, Label to) {
    jump(BPF_JGT, value, &to, nullptr);
  }
  constexpr void jump_if_at_least(std::uint32_t value, Label to) {
    jump(BPF_JGE, value, &to, nullptr);
  }
  constexpr void branch_at_least(std::uint32_t value, Label if_true, Label if_false) {
    jump(BPF_JGE, value, &if_true, &if_false);
  }
  constexpr void jump_if_any_bit(std::uint32_t bits, Label to) {
    jump(BPF_JSET, bits, &to, nullptr);
  }

  [[nodiscard]] constexpr std::size_t size() const { return size_; }

  template <std::size_t Size>
  [[nodiscard]] constexpr std::array<sock_filter, Size> finish() const {
    std::array<sock_filter, Size> out{};
    for (std::size_t at = 0; at < Size; ++at) {
      out[at] = code_[at].instruction;
      if (code_[at].is_jump) {
        out[at].jt = distance(at, code_[at].if_true);
        out[at].jf = distance(at, code_[at].if_false);
      }
    }
    return out;
  }

 private:
  static constexpr std::size_t kMaxInstructions = 256, kMaxLabels = 256;
  static constexpr std::size_t kUnbound = ~std::size_t{0}, kNext = kUnbound - 1;

  struct Line {
    sock_filter instruction{};
    bool is_jump = false;
    std::size_t if_true = kNext, if_false = kNext;  // label ids
  };

  /// Ends the compilation: a throw is no constant expression.
  static constexpr void check(bool condition) {
    if (!condition) {
      throw "bad BPF program";
    }
  }

  constexpr Line& emit(unsigned code, std::uint32_t operand) {
    check(size_ < kMaxInstructions);
    Line& line = code_[size_++];
    line.instruction.code = static_cast<std::uint16_t>(code);
    line.instruction.k = operand;
    return line;
  }

  constexpr void jump(unsigned condition, std::uint32_t value, const Label* if_true,
                      const Label* if_false) {
    Line& line = emit(BPF_JMP | condition | BPF_K, value);
    line.is_jump = true;
    line.if_true = if_true != nullptr ? if_true->id : kNext;
    line.if_false = if_false != nullptr ? if_false->id : kNext;
  }

  [[nodiscard]] constexpr std::uint8_t distance(std::size_t from, std::size_t label) const {
    if (label == kNext) {
      return 0;
    }
    const std::size_t target = targets_[label];
    check(target != kUnbound && target > from && target - from - 1 <= 255);
    return static_cast<std::uint8_t>(target - from - 1);
  }

  static constexpr std::array<std::size_t, kMaxLabels> unbound() {
    std::array<std::size_t, kMaxLabels> targets{};
    targets.fill(kUnbound);
    return targets;
  }

  std::array<Line, kMaxInstructions> code_{};
  std::array<std::size_t, kMaxLabels> targets_ = unbound();
  std::size_t size_ = 0, labels_ = 0;
};

/// The program that `Write` writes, as an array of exactly its length.
template <auto Write>
consteval auto assemble() {
  constexpr auto kProgram = [] {
    BpfAssembler program;
    Write(program);
    return program;
  }();
  return kProgram.template finish<kProgram.size()>();
}

}  // namespace runhl::vmm::cell
