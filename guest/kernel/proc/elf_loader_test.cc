// SPDX-License-Identifier: Apache-2.0
#include "proc/elf_loader.h"

#include <elf.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstring>
#include <functional>
#include <string_view>
#include <vector>

namespace runhl::kernel {
namespace {

constexpr std::uint64_t kFileSize = 0x5000;

struct TestElf {
  Elf64_Ehdr header{};
  std::vector<Elf64_Phdr> segments;

  TestElf() {
    std::memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS64;
    header.e_ident[EI_DATA] = ELFDATA2LSB;
    header.e_machine = EM_X86_64;
    header.e_type = ET_EXEC;
    header.e_phoff = sizeof header;
    header.e_phentsize = sizeof(Elf64_Phdr);
    header.e_entry = 0x40'1000;
    segments.push_back({.p_type = PT_LOAD,
                        .p_flags = PF_R | PF_X,
                        .p_offset = 0,
                        .p_vaddr = 0x40'0000,
                        .p_paddr = 0,
                        .p_filesz = 0x2000,
                        .p_memsz = 0x2000,
                        .p_align = 0x1000});
    segments.push_back({.p_type = PT_LOAD,
                        .p_flags = PF_R | PF_W,
                        .p_offset = 0x2e00,
                        .p_vaddr = 0x40'3e00,
                        .p_paddr = 0,
                        .p_filesz = 0x200,
                        .p_memsz = 0x3000,
                        .p_align = 0x1000});
  }

  [[nodiscard]] std::vector<std::byte> bytes() const {
    Elf64_Ehdr copy = header;
    copy.e_phnum = static_cast<std::uint16_t>(segments.size());
    std::vector<std::byte> out(sizeof copy + segments.size() * sizeof(Elf64_Phdr));
    std::memcpy(out.data(), &copy, sizeof copy);
    std::memcpy(out.data() + sizeof copy, segments.data(), segments.size() * sizeof(Elf64_Phdr));
    return out;
  }
  [[nodiscard]] int parse(ElfPlan& plan) const {
    const auto result = parse_elf(bytes(), kFileSize, plan);
    return result ? 0 : to_int(result.error());
  }
};

TEST(ElfParser, Reads_a_good_program) {
  ElfPlan plan;
  ASSERT_EQ(TestElf().parse(plan), 0);
  EXPECT_FALSE(plan.position_independent);
  EXPECT_EQ(plan.entry, 0x40'1000U);
  EXPECT_EQ(plan.headers_address, 0x40'0000 + sizeof(Elf64_Ehdr));
  ASSERT_EQ(plan.segment_count, 2U);
  EXPECT_EQ(plan.segments[0].protection, std::uint32_t{PROT_READ | PROT_EXEC});
  EXPECT_EQ(plan.segments[1].memory_size, 0x3000U);
  EXPECT_EQ(plan.lowest(), 0x40'0000U);
  EXPECT_EQ(plan.highest(), 0x40'7000U);
}

TEST(ElfParser, Finds_interpreter_and_stack_flags) {
  TestElf elf;
  elf.header.e_type = ET_DYN;
  elf.segments.push_back({.p_type = PT_INTERP,
                          .p_flags = PF_R,
                          .p_offset = 0x300,
                          .p_vaddr = 0,
                          .p_paddr = 0,
                          .p_filesz = 28,
                          .p_memsz = 28,
                          .p_align = 1});
  elf.segments.push_back({.p_type = PT_GNU_STACK,
                          .p_flags = PF_R | PF_W | PF_X,
                          .p_offset = 0,
                          .p_vaddr = 0,
                          .p_paddr = 0,
                          .p_filesz = 0,
                          .p_memsz = 0,
                          .p_align = 16});
  ElfPlan plan;
  ASSERT_EQ(elf.parse(plan), 0);
  EXPECT_TRUE(plan.position_independent);
  EXPECT_TRUE(plan.executable_stack);
  EXPECT_EQ(plan.interpreter_offset, 0x300U);
  EXPECT_EQ(plan.interpreter_size, 28U);
}

TEST(ElfParser, Refuses_broken_files) {
  const std::vector<std::pair<const char*, std::function<void(TestElf&)>>> broken = {
      {"magic", [](TestElf& e) { e.header.e_ident[0] = 'X'; }},
      {"32-bit", [](TestElf& e) { e.header.e_ident[EI_CLASS] = ELFCLASS32; }},
      {"big-endian", [](TestElf& e) { e.header.e_ident[EI_DATA] = ELFDATA2MSB; }},
      {"another machine", [](TestElf& e) { e.header.e_machine = EM_AARCH64; }},
      {"object file", [](TestElf& e) { e.header.e_type = ET_REL; }},
      {"header entry size", [](TestElf& e) { e.header.e_phentsize = 32; }},
      {"no headers", [](TestElf& e) { e.segments.clear(); }},
      {"headers outside", [](TestElf& e) { e.header.e_phoff = 1 << 20; }},
      {"headers overflow", [](TestElf& e) { e.header.e_phoff = ~0ULL - 8; }},
      {"empty interpreter",
       [](TestElf& e) {
         e.segments.push_back({.p_type = PT_INTERP,
                               .p_flags = 0,
                               .p_offset = 0,
                               .p_vaddr = 0,
                               .p_paddr = 0,
                               .p_filesz = 1,
                               .p_memsz = 1,
                               .p_align = 1});
       }},
  };
  for (const auto& [what, change] : broken) {
    TestElf elf;
    change(elf);
    ElfPlan plan;
    EXPECT_EQ(elf.parse(plan), ENOEXEC) << what;
  }
}

TEST(ElfParser, Misses_the_name_of_an_interpreter_behind_the_file) {
  TestElf elf;
  elf.segments.push_back({.p_type = PT_INTERP,
                          .p_flags = 0,
                          .p_offset = kFileSize,
                          .p_vaddr = 0,
                          .p_paddr = 0,
                          .p_filesz = 20,
                          .p_memsz = 20,
                          .p_align = 1});
  ElfPlan plan;
  EXPECT_EQ(elf.parse(plan), EIO);
}

TEST(ElfParser, Notes_what_cannot_be_loaded) {
  const std::vector<std::pair<const char*, std::function<void(TestElf&)>>> broken = {
      {"nothing to load",
       [](TestElf& e) { e.segments[0].p_type = e.segments[1].p_type = PT_NOTE; }},
      {"file part larger", [](TestElf& e) { e.segments[0].p_memsz = 0x100; }},
      {"offset overflow",
       [](TestElf& e) { e.segments[1].p_offset = ~0ULL - 0xfff + 0xe00 - 0x1000; }},
      {"misaligned", [](TestElf& e) { e.segments[1].p_offset = 0x2e01; }},
      {"low", [](TestElf& e) { e.segments[0].p_vaddr = 0; }},
      {"in the kernel", [](TestElf& e) { e.segments[1].p_vaddr = 0x7000'0000'0e00; }},
      {"address overflow",
       [](TestElf& e) {
         e.segments[1].p_vaddr = ~0ULL - 0x1ff;
         e.segments[1].p_memsz = 0x1000;
       }},
      {"entry in the kernel", [](TestElf& e) { e.header.e_entry = 0x7000'0000'0000; }},
  };
  for (const auto& [what, change] : broken) {
    TestElf elf;
    change(elf);
    ElfPlan plan;
    EXPECT_EQ(elf.parse(plan), 0) << what;
    EXPECT_TRUE(plan.broken) << what;
  }
}

TEST(ElfParser, Takes_segments_that_overlap_descend_or_end_behind_the_file) {
  const std::vector<std::pair<const char*, std::function<void(TestElf&)>>> odd = {
      {"truncated", [](TestElf& e) { e.segments[1].p_filesz = 0x2f00; }},
      {"overlapping", [](TestElf& e) { e.segments[1].p_vaddr = 0x40'1e00; }},
      {"descending", [](TestElf& e) { std::swap(e.segments[0], e.segments[1]); }},
      {"odd alignment", [](TestElf& e) { e.segments[0].p_align = 3000; }},
  };
  for (const auto& [what, change] : odd) {
    TestElf elf;
    change(elf);
    ElfPlan plan;
    EXPECT_EQ(elf.parse(plan), 0) << what;
    EXPECT_FALSE(plan.broken) << what;
    EXPECT_EQ(plan.odd, what != std::string_view("odd alignment")) << what;
    EXPECT_EQ(plan.lowest(), 0x40'0000U) << what;
    EXPECT_GE(plan.highest(), 0x40'4000U) << what;
  }
}

TEST(ElfParser, Every_truncation_is_refused) {
  const std::vector<std::byte> bytes = TestElf().bytes();
  ElfPlan plan;
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(parse_elf(std::span(bytes).first(size), kFileSize, plan)) << size;
  }
}

}  // namespace
}  // namespace runhl::kernel
