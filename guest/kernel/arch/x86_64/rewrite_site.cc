// SPDX-License-Identifier: Apache-2.0
#include "arch/x86_64/rewrite_site.h"

#include <algorithm>
#include <bitset>
#include <cstring>

#include "arch/x86_64/decode.h"

namespace runhl::kernel {

namespace {

constexpr std::uint8_t kMovEax = 0xb8;
constexpr std::uint8_t kJumpRel32 = 0xe9;
constexpr std::uint8_t kNop = 0x90;
constexpr std::uint64_t kMovSize = 5;
constexpr std::uint64_t kLeaSize = 7;           // lea rel32(%rip), %rcx
constexpr std::uint64_t kIndirectJumpSize = 6;  // jmp *rel32(%rip)
constexpr std::uint64_t kEnterSize = kLeaSize + kIndirectJumpSize;
static_assert(kMaxMoved + kEnterSize + kJumpSize <= kSlotSize);

// How far back instruction streams begin that must all agree on the boundaries before a call.
constexpr std::uint64_t kNearestStart = 16;
constexpr std::uint64_t kFarthestStart = 96;
constexpr unsigned kFewestStreams = 8;

using Bounds = std::bitset<kMaxMoved + 1>;  // bit n: an instruction begins n bytes before the call

/// The displacement from the end of an instruction to `target`, if 32 bits hold it.
std::optional<std::int32_t> relative(std::uint64_t instruction_end, std::uint64_t target) {
  const auto distance = static_cast<std::int64_t>(target - instruction_end);
  if (distance < INT32_MIN || distance > INT32_MAX) {
    return std::nullopt;
  }
  return static_cast<std::int32_t>(distance);
}

bool can_move(const Instruction& instruction) {
  return instruction.length != 0 && !instruction.transfers && !instruction.fixed_address;
}

/// One byte that raises #UD in 64-bit mode whatever follows.
bool is_invalid_opcode(std::uint8_t byte) {
  constexpr std::array<std::uint8_t, 17> kInvalid{0x06, 0x07, 0x0e, 0x16, 0x17, 0x1e,
                                                  0x1f, 0x27, 0x2f, 0x37, 0x3f, 0x60,
                                                  0x61, 0x82, 0x9a, 0xce, 0xea};
  return std::find(kInvalid.begin(), kInvalid.end(), byte) != kInvalid.end();
}

bool is_form_a(const ProgramText& text, std::uint64_t call, std::uint32_t number) {
  if (!text.holds(call - kMovSize, kMovSize)) {
    return false;
  }
  const auto bytes = text.from(call - kMovSize);
  std::uint32_t immediate = 0;
  std::memcpy(&immediate, bytes.data() + 1, sizeof(immediate));
  return bytes[0] == kMovEax && immediate == number;
}

/// The boundaries that the stream from `start` has before `call`; false: it does not arrive there.
bool follow_stream(const ProgramText& text, std::uint64_t start, std::uint64_t call,
                   Bounds& bounds) {
  bounds.reset();
  while (start < call) {
    if (call - start < bounds.size()) {
      bounds.set(call - start);
    }
    const Instruction instruction = decode(text.from(start));
    if (instruction.length == 0) {
      return false;
    }
    start += instruction.length;
  }
  return start == call;
}

/// Boundaries on which all streams agree that arrive at the call; none where few do.
Bounds agreed_boundaries(const ProgramText& text, std::uint64_t call) {
  Bounds agreed;
  agreed.set();
  unsigned streams = 0;
  for (std::uint64_t back = kNearestStart; back <= kFarthestStart; ++back) {
    Bounds bounds;
    if (text.holds(call - back, back) && follow_stream(text, call - back, call, bounds)) {
      // A stream says nothing about what lies before its start.
      agreed &= bounds | ~Bounds(((1ULL << std::min<std::uint64_t>(back, kMaxMoved)) << 1) - 1);
      ++streams;
    }
  }
  return streams >= kFewestStreams ? agreed : Bounds{};
}

/// Addresses that nothing may jump to.
struct Inside {
  std::uint64_t first, last;
  [[nodiscard]] bool has(std::uint64_t address) const {
    return address >= first && address <= last;
  }
  [[nodiscard]] bool has_target(std::uint64_t end, std::int64_t distance) const {
    return has(end + static_cast<std::uint64_t>(distance));
  }
};

/// Branches with 32-bit distances, at whatever byte: a chance match is rare.
bool has_far_branch_to(const ProgramText& text, const Inside& inside) {
  for (std::size_t i = 1; i + kJumpSize <= text.bytes.size(); ++i) {
    const std::uint8_t opcode = text.bytes[i];
    const bool conditional = text.bytes[i - 1] == 0x0f && (opcode & 0xf0) == 0x80;
    if (opcode != kJumpRel32 && opcode != 0xe8 && !conditional) {
      continue;
    }
    std::int32_t distance = 0;
    std::memcpy(&distance, text.bytes.data() + i + 1, sizeof(distance));
    if (inside.has_target(text.at + i + kJumpSize, distance)) {
      return true;
    }
  }
  return false;
}

/// Branches with 8-bit distances, of which every other byte could be one: those of instruction
/// streams that begin well before the site, so that they have found the boundaries when they reach
/// it. Several, in case data lies between.
bool has_near_branch_to(const ProgramText& text, const Inside& inside) {
  constexpr std::uint64_t kRunUp = 256;
  constexpr std::uint64_t kReach = 132;
  constexpr unsigned kStreams = 4;
  const std::uint64_t begin = std::max(text.at, inside.first - kReach - kRunUp);
  const std::uint64_t end = std::min(text.at + text.bytes.size(), inside.last + kReach);
  for (unsigned stream = 0; stream < kStreams; ++stream) {
    for (std::uint64_t at = begin + stream; at < end;) {
      const Instruction instruction = decode(text.from(at));
      if (instruction.operand_size == 1) {
        const auto distance = static_cast<std::int8_t>(text.from(at)[instruction.operand_at]);
        if (inside.has_target(at + instruction.length, distance)) {
          return true;
        }
      }
      at += std::max<std::uint64_t>(instruction.length, 1);
    }
  }
  return false;
}

/// Whole instructions from `from` on that can move: their bytes, once they are at least `least`.
std::uint64_t movable_bytes(const ProgramText& text, std::uint64_t from, std::uint64_t least) {
  std::uint64_t bytes = 0;
  while (bytes < least) {
    if (!text.holds(from + bytes, 1)) {
      return 0;
    }
    const Instruction instruction = decode(text.from(from + bytes));
    if (!can_move(instruction)) {
      return 0;
    }
    bytes += instruction.length;
  }
  return bytes;
}

std::optional<Patch> plan_form_b(const ProgramText& text, std::uint64_t call) {
  const Bounds agreed = agreed_boundaries(text, call);
  for (std::uint64_t moved = kJumpSize; moved <= kMaxMoved; ++moved) {
    if (!agreed.test(moved)) {
      continue;
    }
    const std::uint64_t start = call - moved;
    if (movable_bytes(text, start, moved) != moved) {
      return std::nullopt;  // further back there would only be more of it
    }
    const std::uint64_t first = decode(text.from(start)).length;
    const Inside inside{start + first, start + kJumpSize - 1};
    if (first < kJumpSize &&
        (has_far_branch_to(text, inside) || has_near_branch_to(text, inside))) {
      return std::nullopt;
    }
    return Patch{.start = start, .form = Form::B, .moved = static_cast<std::uint8_t>(moved)};
  }
  return std::nullopt;
}

std::optional<Patch> plan_form_c(const ProgramText& text, std::uint64_t call) {
  constexpr std::uint64_t kLeast = kJumpSize - kSyscallSize;
  const std::uint64_t next = call + kSyscallSize;
  if (!text.holds(next, 1)) {
    return std::nullopt;
  }
  const Instruction instruction = decode(text.from(next));
  if (!can_move(instruction) || instruction.length < kLeast) {
    return std::nullopt;
  }
  return Patch{.start = call, .form = Form::C, .moved = instruction.length};
}

/// `cmp $-4096, %rax` or `$-4095`, as libraries test for an error.
bool tests_for_error(const ProgramText& text, std::uint64_t at) {
  constexpr std::array<std::uint8_t, 2> kCompare{0x48, 0x3d};
  return text.holds(at, kCompare.size()) &&
         std::equal(kCompare.begin(), kCompare.end(), text.from(at).begin());
}

/// Copies the moved instructions to where `out` begins, which will be at address `to`.
bool relocate(const Patch& patch, const ProgramText& text, std::uint64_t to, std::uint8_t* out) {
  const std::uint64_t from = patch.moved_from();
  std::memcpy(out, text.from(from).data(), patch.moved);
  for (std::uint64_t done = 0; done < patch.moved;) {
    const Instruction instruction = decode(text.from(from + done));
    if (instruction.rip_relative) {
      std::int32_t old = 0;
      std::memcpy(&old, out + done + instruction.operand_at, sizeof(old));
      const std::uint64_t end = done + instruction.length;
      const std::uint64_t named = from + end + static_cast<std::uint64_t>(std::int64_t{old});
      const auto moved = relative(to + end, named);
      if (!moved) {
        return false;
      }
      std::memcpy(out + done + instruction.operand_at, &*moved, sizeof(*moved));
    }
    done += instruction.length;
  }
  return true;
}

/// lea back(%rip), %rcx; jmp *entry_pointer(%rip), for address `at`.
bool encode_enter(std::uint8_t* out, std::uint64_t at, std::uint64_t back,
                  std::uint64_t entry_pointer) {
  const auto to_back = relative(at + kLeaSize, back);
  const auto to_entry = relative(at + kEnterSize, entry_pointer);
  if (!to_back || !to_entry) {
    return false;
  }
  out[0] = 0x48, out[1] = 0x8d, out[2] = 0x0d;
  std::memcpy(out + 3, &*to_back, sizeof(*to_back));
  out[7] = 0xff, out[8] = 0x25;
  std::memcpy(out + 9, &*to_entry, sizeof(*to_entry));
  return true;
}

}  // namespace

std::uint64_t Patch::moved_to() const {
  return form == Form::C ? slot + kEnterSize : slot;
}

std::optional<Patch> plan_site(const ProgramText& text, std::uint64_t call, std::uint32_t number) {
  if (is_form_a(text, call, number)) {
    return Patch{.start = call - kMovSize, .form = Form::A, .moved = kMovSize};
  }
  const bool compares = tests_for_error(text, call + kSyscallSize);
  const std::optional<Patch> preferred =
      compares ? plan_form_c(text, call) : plan_form_b(text, call);
  if (preferred) {
    return preferred;
  }
  return compares ? plan_form_b(text, call) : plan_form_c(text, call);
}

bool slot_suits(const Patch& patch, std::uint64_t slot) {
  const auto distance = relative(patch.start + kJumpSize, slot);
  return distance &&
         (patch.form != Form::C || is_invalid_opcode(static_cast<std::uint8_t>(*distance >> 8)));
}

JumpBytes encode_jump(const Patch& patch) {
  const std::uint64_t distance = patch.slot - (patch.start + kJumpSize);
  JumpBytes out{kJumpRel32};
  std::memcpy(out.data() + 1, &distance, sizeof(std::int32_t));  // slot_suits(): it fits
  return out;
}

std::optional<SlotBytes> encode_slot(const Patch& patch, const ProgramText& text,
                                     std::uint32_t number, std::uint64_t entry_pointer) {
  SlotBytes out{};
  out.fill(kNop);
  const std::uint64_t behind_call = patch.call() + kSyscallSize;
  bool done = false;
  switch (patch.form) {
    case Form::A:
      out[0] = kMovEax;
      std::memcpy(out.data() + 1, &number, sizeof(number));
      done = encode_enter(out.data() + kMovSize, patch.slot + kMovSize, behind_call, entry_pointer);
      break;
    case Form::B:
      done = relocate(patch, text, patch.slot, out.data()) &&
             encode_enter(out.data() + patch.moved, patch.slot + patch.moved, behind_call,
                          entry_pointer);
      break;
    case Form::C: {
      std::uint8_t* const copy = out.data() + kEnterSize;
      const std::uint64_t jump_end = patch.moved_to() + patch.moved + kJumpSize;
      const auto back = relative(jump_end, behind_call + patch.moved);
      done = back && encode_enter(out.data(), patch.slot, patch.moved_to(), entry_pointer) &&
             relocate(patch, text, patch.moved_to(), copy);
      if (done) {
        copy[patch.moved] = kJumpRel32;
        std::memcpy(copy + patch.moved + 1, &*back, sizeof(*back));
      }
      break;
    }
  }
  return done ? std::optional(out) : std::nullopt;
}

std::uint64_t original_address(const Patch& patch, std::uint64_t in_slot) {
  const std::uint64_t offset = in_slot - patch.slot;
  switch (patch.form) {
    case Form::A:
      return patch.start;  // the number is loaded again
    case Form::B:
      return patch.start + std::min<std::uint64_t>(offset, patch.moved);
    case Form::C:
      return offset < kEnterSize
                 ? patch.start
                 : patch.moved_from() + std::min<std::uint64_t>(offset - kEnterSize, patch.moved);
  }
  __builtin_unreachable();
}

std::uint64_t resume_address(const Patch& patch, std::uint64_t rip) {
  const bool overwritten = rip > patch.start && rip < patch.start + kJumpSize;
  if (patch.form == Form::A || !overwritten || rip < patch.moved_from()) {
    return rip;
  }
  return patch.moved_to() + (rip - patch.moved_from());
}

}  // namespace runhl::kernel
