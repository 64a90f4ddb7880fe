// SPDX-License-Identifier: Apache-2.0
#include "arch/x86_64/rewrite_site.h"

#include <Zydis/Zydis.h>
#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <set>

#include "hosted/program_text.h"

namespace runhl::kernel {
namespace {

constexpr std::uint64_t kAnnexBytes = 64 * 1024;

struct Operation {
  ZydisDecodedInstruction instruction{};
  std::array<ZydisDecodedOperand, ZYDIS_MAX_OPERAND_COUNT> operands{};
  bool valid = false;
};

Operation disassemble(std::span<const std::uint8_t> bytes) {
  ZydisDecoder decoder;
  ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
  Operation out;
  out.valid = ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, bytes.data(), bytes.size(),
                                                  &out.instruction, out.operands.data()));
  return out;
}

/// The absolute address that an operand names; 0: none.
std::uint64_t named_address(const Operation& operation, std::uint64_t at) {
  for (unsigned i = 0; i < operation.instruction.operand_count_visible; ++i) {
    ZyanU64 address = 0;
    const ZydisDecodedOperand& operand = operation.operands.at(i);
    const bool relative = operand.type == ZYDIS_OPERAND_TYPE_MEMORY
                              ? operand.mem.base == ZYDIS_REGISTER_RIP
                              : operand.imm.is_relative != 0;
    if (relative &&
        ZYAN_SUCCESS(ZydisCalcAbsoluteAddress(&operation.instruction, &operand, at, &address))) {
      return address;
    }
  }
  return 0;
}

/// What a linear disassembly of a program tells: boundaries and targets of branches.
struct Survey {
  std::set<std::uint64_t> calls;    // syscall instructions
  std::set<std::uint64_t> targets;  // of relative branches
};

Survey survey(const ProgramText& text) {
  Survey out;
  for (std::uint64_t at = text.at; at < text.at + text.bytes.size();) {
    const Operation operation = disassemble(text.from(at));
    if (!operation.valid) {
      ++at;
      continue;
    }
    if (operation.instruction.mnemonic == ZYDIS_MNEMONIC_SYSCALL) {
      out.calls.insert(at);
    } else if (operation.instruction.meta.category == ZYDIS_CATEGORY_COND_BR ||
               operation.instruction.meta.category == ZYDIS_CATEGORY_UNCOND_BR ||
               operation.instruction.meta.category == ZYDIS_CATEGORY_CALL) {
      out.targets.insert(named_address(operation, at));
    }
    at += operation.instruction.length;
  }
  return out;
}

ProgramText around(const ProgramText& text, std::uint64_t call) {
  const std::uint64_t start = std::max(text.at, call - kTextAround);
  const std::uint64_t end = std::min(text.at + text.bytes.size(), call + kTextAround);
  return {.at = start, .bytes = text.from(start).first(end - start)};
}

std::uint32_t loaded_number(const ProgramText& text, std::uint64_t call) {
  std::uint32_t number = 0;
  std::memcpy(&number, text.from(call - 4).data(), sizeof number);
  return number;
}

bool place(Patch& patch, std::uint64_t annex) {
  for (std::uint64_t slot = annex + kSlotSize; slot < annex + kAnnexBytes; slot += kSlotSize) {
    if (slot_suits(patch, slot)) {
      patch.slot = slot;
      return true;
    }
  }
  return false;
}

/// Each instruction of the slot's copy does what the original does, address for address.
void expect_same_meaning(const Patch& patch, const ProgramText& text, const ProgramText& slot) {
  for (std::uint64_t done = 0; done < patch.moved;) {
    const std::uint64_t from = patch.moved_from() + done;
    const std::uint64_t to = patch.moved_to() + done;
    const Operation old = disassemble(text.from(from));
    const Operation copy = disassemble(slot.from(to));
    ASSERT_TRUE(old.valid && copy.valid);
    ASSERT_EQ(old.instruction.mnemonic, copy.instruction.mnemonic);
    ASSERT_EQ(old.instruction.length, copy.instruction.length);
    ASSERT_EQ(named_address(old, from), named_address(copy, to));
    ASSERT_EQ(original_address(patch, to), from);
    if (from > patch.start && from < patch.start + kJumpSize) {
      ASSERT_EQ(resume_address(patch, from), to);
    }
    done += old.instruction.length;
  }
}

/// lea back, %rcx; jmp *entry, at `at` of the slot.
void expect_entry(const ProgramText& slot, std::uint64_t at, std::uint64_t back,
                  std::uint64_t entry) {
  const Operation lea = disassemble(slot.from(at));
  ASSERT_EQ(lea.instruction.mnemonic, ZYDIS_MNEMONIC_LEA);
  ASSERT_EQ(lea.operands[0].reg.value, ZYDIS_REGISTER_RCX);
  ASSERT_EQ(named_address(lea, at), back);
  const std::uint64_t next = at + lea.instruction.length;
  const Operation jump = disassemble(slot.from(next));
  ASSERT_EQ(jump.instruction.mnemonic, ZYDIS_MNEMONIC_JMP);
  ASSERT_EQ(named_address(jump, next), entry);
}

void expect_sound(const Patch& patch, const ProgramText& text, const Survey& survey,
                  const ProgramText& slot, std::uint64_t entry) {
  const std::uint64_t behind = patch.call() + kSyscallSize;
  const JumpBytes jump = encode_jump(patch);
  ASSERT_EQ(named_address(disassemble(jump), patch.start), patch.slot);
  switch (patch.form) {
    case Form::A:
      ASSERT_EQ(disassemble(slot.bytes).instruction.mnemonic, ZYDIS_MNEMONIC_MOV);
      expect_entry(slot, patch.slot + 5, behind, entry);
      break;
    case Form::B:
      expect_same_meaning(patch, text, slot);
      expect_entry(slot, patch.slot + patch.moved, behind, entry);
      for (std::uint64_t at = patch.start + 1; at < patch.start + kJumpSize; ++at) {
        EXPECT_FALSE(survey.targets.contains(at)) << std::hex << at << " is jumped to";
      }
      break;
    case Form::C: {
      expect_same_meaning(patch, text, slot);
      expect_entry(slot, patch.slot, patch.moved_to(), entry);
      const std::uint64_t back = patch.moved_to() + patch.moved;
      ASSERT_EQ(named_address(disassemble(slot.from(back)), back), behind + patch.moved);
      std::array<std::uint8_t, 16> at_next{};
      std::copy(jump.begin() + 2, jump.end(), at_next.begin());
      EXPECT_FALSE(disassemble(at_next).valid) << "a jump behind the call goes astray";
      break;
    }
  }
}

TEST(RewriteSite, Every_site_of_the_machines_libraries_is_rewritten_soundly) {
  std::size_t all = 0;
  std::size_t none = 0;
  for (const auto& program : hosted::installed_programs()) {
    const ProgramText whole = program.text();
    const Survey surveyed = survey(whole);
    const std::uint64_t annex = (whole.at + whole.bytes.size() + 0xf'ffff) & ~std::uint64_t{0xffff};
    std::map<Form, unsigned> forms;
    for (const std::uint64_t call : surveyed.calls) {
      const ProgramText text = around(whole, call);
      const std::uint32_t number = loaded_number(text, call);
      auto patch = plan_site(text, call, number);
      ++all;
      if (!patch) {
        ++none;
        continue;
      }
      ASSERT_TRUE(place(*patch, annex));
      const auto bytes = encode_slot(*patch, text, number, annex);
      ASSERT_TRUE(bytes);
      expect_sound(*patch, text, surveyed, {.at = patch->slot, .bytes = *bytes}, annex);
      if (::testing::Test::HasFailure()) {
        FAIL() << program.path << " at " << std::hex << call;
      }
      ++forms[patch->form];
    }
    std::printf("%s: %zu sites, A %u, B %u, C %u\n", program.path.c_str(), surveyed.calls.size(),
                forms[Form::A], forms[Form::B], forms[Form::C]);
  }
  EXPECT_LE(none * 100, all * 5) << none << " of " << all << " go on trapping";
}

ProgramText assembled(std::span<const std::uint8_t> code, std::vector<std::uint8_t>& buffer,
                      std::size_t at) {
  buffer.assign(256, 0x90);
  std::copy(code.begin(), code.end(), buffer.begin() + static_cast<std::ptrdiff_t>(at));
  return {.at = 0x40'0000, .bytes = buffer};
}

TEST(RewriteSite, A_branch_between_the_moved_instructions_forbids_form_B) {
  std::vector<std::uint8_t> buffer;
  // mov %rdx,%rdi; mov %rcx,%rsi; syscall; js: what follows cannot be moved
  const std::array<std::uint8_t, 10> code{0x48, 0x89, 0xd7, 0x48, 0x89,
                                          0xce, 0x0f, 0x05, 0x78, 0x20};
  const ProgramText free = assembled(code, buffer, 128);
  const auto patch = plan_site(free, free.at + 134, 1);
  ASSERT_TRUE(patch);
  EXPECT_EQ(patch->form, Form::B);
  EXPECT_EQ(patch->moved, 6);
  buffer[160] = 0xeb;  // jmp to the second mov
  buffer[161] = static_cast<std::uint8_t>(131 - 162);
  EXPECT_FALSE(plan_site(free, free.at + 134, 1));
}

TEST(RewriteSite, Form_A_asks_for_the_number_that_was_called) {
  std::vector<std::uint8_t> buffer;
  const std::array<std::uint8_t, 9> code{0xb8, 39, 0, 0, 0, 0x0f, 0x05, 0x78, 0x20};
  const ProgramText text = assembled(code, buffer, 128);
  const auto patch = plan_site(text, text.at + 133, 39);
  ASSERT_TRUE(patch);
  EXPECT_EQ(patch->form, Form::A);
  const auto other = plan_site(text, text.at + 133, 40);
  EXPECT_TRUE(!other || other->form != Form::A);
}

}  // namespace
}  // namespace runhl::kernel
