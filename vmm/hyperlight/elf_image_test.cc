// SPDX-License-Identifier: Apache-2.0
#include "hyperlight/elf_image.h"

#include <elf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "hyperlight/generation.h"
#include "runhl/vmm/hyperlight/kernel_file.h"

namespace runhl::vmm::hyperlight {
namespace {

using ::testing::HasSubstr;

/// A kernel of two segments that a test then spoils.
struct Kernel {
  Elf64_Ehdr header{};
  std::vector<Elf64_Phdr> segments;

  Kernel() {
    std::memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS64;
    header.e_ident[EI_DATA] = ELFDATA2LSB;
    header.e_type = ET_EXEC;
    header.e_machine = EM_X86_64;
    header.e_phoff = sizeof header;
    header.e_phentsize = sizeof(Elf64_Phdr);
    header.e_phnum = 2;
    header.e_entry = 0x4010;
    segments.push_back({PT_LOAD, PF_R | PF_X, 0x100, 0x4000, 0x4000, 0x40, 0x40, 0x1000});
    segments.push_back({PT_LOAD, PF_R | PF_W, 0x140, 0x5000, 0x5000, 0x10, 0x123, 0x1000});
  }
  [[nodiscard]] std::string bytes() const {
    std::string file(0x150, 'k');
    std::memcpy(file.data(), &header, sizeof header);
    std::memcpy(file.data() + sizeof header, segments.data(), segments.size() * sizeof(Elf64_Phdr));
    return file;
  }
  [[nodiscard]] std::string error() const {
    const std::string file = bytes();
    const Result<ElfImage> image = parse_elf(std::as_bytes(std::span(file)));
    return image ? "none" : image.error().message;
  }
};

TEST(ElfImage, Is_the_segments_at_their_places_and_zeros) {
  const std::string file = Kernel().bytes();
  const Result<ElfImage> image = parse_elf(std::as_bytes(std::span(file)));
  ASSERT_TRUE(image) << image.error().message;
  EXPECT_EQ(image->address, 0x4000U);
  EXPECT_EQ(image->size, 0x1123U);
  EXPECT_EQ(image->entry, 0x4010U);
  std::vector<std::byte> memory(0x2000);
  image->copy_to(memory);
  EXPECT_EQ(memory[0x3f], std::byte{'k'});
  EXPECT_EQ(memory[0x40], std::byte{0});
  EXPECT_EQ(memory[0x100f], std::byte{'k'});
  EXPECT_EQ(memory[0x1010], std::byte{0});
}

TEST(ElfImage, Refuses_what_is_no_kernel_for_this_machine) {
  const auto of = [](std::string_view file) {
    return parse_elf(std::as_bytes(std::span(file))).error().message;
  };
  EXPECT_THAT(of(""), HasSubstr("not an ELF"));
  EXPECT_THAT(of("#!/bin/sh\n"), HasSubstr("not an ELF"));
  EXPECT_THAT(of("\x7f"
                 "ELF"),
              HasSubstr("truncated"));
  Kernel kernel;
  kernel.header.e_ident[EI_CLASS] = ELFCLASS32;
  EXPECT_THAT(kernel.error(), HasSubstr("64-bit"));
  kernel = {};
  kernel.header.e_machine = EM_AARCH64;
  EXPECT_THAT(kernel.error(), HasSubstr("another machine"));
  kernel = {};
  kernel.header.e_type = ET_REL;
  EXPECT_THAT(kernel.error(), HasSubstr("no program"));
  for (const std::uint32_t type : {std::uint32_t{PT_DYNAMIC}, std::uint32_t{PT_INTERP}}) {
    kernel = {};
    kernel.header.e_type = ET_DYN;
    kernel.segments[1].p_type = type;
    EXPECT_THAT(kernel.error(), HasSubstr("linked to run"));
  }
}

TEST(ElfImage, Refuses_a_broken_table) {
  Kernel kernel;
  kernel.header.e_phoff = ~0ULL;
  EXPECT_THAT(kernel.error(), HasSubstr("table"));
  kernel = {};
  kernel.header.e_phnum = 0xffff;
  EXPECT_THAT(kernel.error(), HasSubstr("table"));
  kernel = {};
  kernel.header.e_phentsize = 8;
  EXPECT_THAT(kernel.error(), HasSubstr("table"));
  kernel = {};
  kernel.header.e_phnum = 0;
  EXPECT_THAT(kernel.error(), HasSubstr("anything to load"));
}

TEST(ElfImage, Refuses_segments_that_cannot_be) {
  Kernel kernel;
  kernel.segments[1].p_filesz = 0x124;
  EXPECT_THAT(kernel.error(), HasSubstr("larger in the file"));
  kernel = {};
  kernel.segments[1].p_offset = 0x141;
  EXPECT_THAT(kernel.error(), HasSubstr("truncated"));
  kernel = {};
  kernel.segments[1].p_offset = ~0ULL;
  EXPECT_THAT(kernel.error(), HasSubstr("truncated"));
  kernel = {};
  kernel.segments[1].p_memsz = ~0ULL;
  EXPECT_THAT(kernel.error(), HasSubstr("address space"));
  kernel = {};
  kernel.segments[1].p_vaddr = 0x403f;
  EXPECT_THAT(kernel.error(), HasSubstr("overlapping"));
  kernel = {};
  kernel.segments[1].p_vaddr = 0x4'0000'8000;
  EXPECT_THAT(kernel.error(), HasSubstr("16 GiB"));
  kernel = {};
  kernel.segments[0].p_vaddr = 0x4001;
  EXPECT_THAT(kernel.error(), HasSubstr("begin on a page"));
}

TEST(ElfImage, Refuses_an_entry_outside_of_code) {
  for (const std::uint64_t entry : {0x3fffULL, 0x4040ULL, 0x5000ULL, ~0ULL}) {
    Kernel kernel;
    kernel.header.e_entry = entry;
    EXPECT_THAT(kernel.error(), HasSubstr("entry")) << entry;
  }
}

TEST(Generation, Of_programs_kernels_is_not_G1) {
  Kernel kernel;
  std::string file = kernel.bytes();
  EXPECT_FALSE(check_kernel_for_programs(std::as_bytes(std::span(file))));
  file += "HLCMDLN";
  EXPECT_THAT(check_kernel_for_programs(std::as_bytes(std::span(file))).error().message,
              HasSubstr("G1"));
  file += "GetExnStackTop";
  EXPECT_EQ(*check_kernel_for_programs(std::as_bytes(std::span(file))), Generation::G2);
}

TEST(Generation, Is_told_from_words_in_the_kernel) {
  const auto of = [](std::string_view bytes) {
    return detect_generation(std::as_bytes(std::span(bytes)));
  };
  EXPECT_EQ(*of("..GetExnStackTop..transport: arena overruns scratch"), Generation::G3);
  EXPECT_EQ(*of("..GetExnStackTop.."), Generation::G2);
  EXPECT_EQ(*of("..HLCMDLN.."), Generation::G1);
  EXPECT_EQ(*of("..__dispatch.."), Generation::G1);
  EXPECT_EQ(*of("..HLCMDLN..GetExnStackTop.."), Generation::G2);
  EXPECT_EQ(of("anything").error().code, ErrorCode::Unsupported);
}

}  // namespace
}  // namespace runhl::vmm::hyperlight
