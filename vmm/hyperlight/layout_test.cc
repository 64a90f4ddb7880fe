// SPDX-License-Identifier: Apache-2.0
// The worked examples of kernels 0.20.1 and 0.17.0.
#include "hyperlight/layout.h"

#include <gtest/gtest.h>

#include <array>

#include "hyperlight/guest_memory.h"
#include "hyperlight/page_tables.h"
#include "runhl/core/units.h"

namespace runhl::vmm::hyperlight {
namespace {

ElfImage image_of(std::uint64_t size) {
  ElfImage image;
  image.address = 0x4000;
  image.size = size;
  image.entry = 0x4000;
  return image;
}

TEST(Layout, Is_that_of_upstreams_host_for_G3) {
  const Result<Layout> layout = make_layout(Generation::G3, image_of(0x12a123), 64 * kMiB);
  ASSERT_TRUE(layout) << layout.error().message;
  EXPECT_EQ(layout->peb, 0x12f000U);
  EXPECT_EQ(layout->heap, 0x130000U);
  EXPECT_EQ(layout->image_size, 0x22c000U);
  EXPECT_EQ(layout->scratch_physical(), 0xf'fc00'0000U);
  EXPECT_EQ(layout->scratch_virtual(), 0xffff'ffff'fbff'f000U);
  EXPECT_EQ(layout->h2g_ring, 0x410U);
  EXPECT_EQ(layout->mailbox, 0x618U);
  EXPECT_EQ(layout->scratch_virtual() + layout->g2h_pool, 0xffff'ffff'fc00'0000U);
  EXPECT_EQ(layout->scratch_virtual() + layout->h2g_pool, 0xffff'ffff'fc02'4000U);
  EXPECT_EQ(layout->page_tables, 0x125000U);
  EXPECT_EQ(layout->exception_stack(), 0xffff'ffff'ffff'ef90U);
}

TEST(Layout, Is_that_of_upstreams_host_for_G2) {
  const Result<Layout> layout = make_layout(Generation::G2, image_of(0x1000), 64 * kMiB);
  ASSERT_TRUE(layout);
  EXPECT_EQ(layout->output_stack, 0x11000U);
  EXPECT_EQ(layout->page_tables, 0x22000U);
  EXPECT_EQ(layout->exception_stack(), 0xffff'ffff'ffff'efd0U);
}

TEST(Layout, Stacks_of_a_G1_guest_may_be_as_upstreams_host_has_them) {
  ElfImage image = image_of(0x74310);
  image.address = image.entry = 0;
  const auto page_tables = [&image](std::uint64_t stack_size) {
    const auto layout = make_layout(Generation::G1, image, 16 * kMiB, 0x1000, stack_size);
    return layout ? layout->page_tables : 0;
  };
  EXPECT_EQ(page_tables(0x4000), 0x8000U);
  EXPECT_EQ(page_tables(0x2001), 0x5000U);
  EXPECT_EQ(page_tables(0x1fff), 0U);
  EXPECT_EQ(page_tables(0x100001), 0U);
  EXPECT_EQ(page_tables(~0ULL), 0U);
  EXPECT_FALSE(make_layout(Generation::G1, image, 16 * kMiB, ~0ULL));
}

TEST(Layout, Is_that_of_upstreams_host_for_G1_but_for_larger_stacks) {
  ElfImage image = image_of(0x1ff123);
  image.address = image.entry = 0;
  const Result<Layout> layout = make_layout(Generation::G1, image, 512 * kMiB, 0x1000);
  ASSERT_TRUE(layout) << layout.error().message;
  EXPECT_EQ(layout->base, 0x1000U);
  EXPECT_EQ(layout->entry, 0x1000U);
  EXPECT_EQ(layout->peb, 0x201000U);
  EXPECT_EQ(layout->heap, 0x202000U);
  EXPECT_EQ(layout->init_data, 0x2020'2000U);
  EXPECT_EQ(layout->image_size, 0x2020'2000U);
  EXPECT_EQ(layout->initrd, 0xc000'0000U);
  EXPECT_EQ(layout->scratch_size, 0x811'0000U);
  EXPECT_EQ(layout->scratch_physical(), 0xf'f7ef'0000U);
  EXPECT_EQ(layout->scratch_virtual(), 0xffff'ffff'f7ee'f000U);
  EXPECT_EQ(layout->page_tables, 0x40000U);
  EXPECT_EQ(layout->exception_stack(), 0xffff'ffff'ffff'efd0U);
}

TEST(Layout, A_G1_kernels_memory_is_its_heap_however_small) {
  ElfImage image = image_of(0x1000);
  image.address = image.entry = 0;
  const Result<Layout> one = make_layout(Generation::G1, image, 1);
  ASSERT_TRUE(one) << one.error().message;
  EXPECT_EQ(one->heap_size, 1U);
  EXPECT_EQ(one->init_data - one->heap, kPageSize);
  for (const std::uint64_t size :
       std::array<std::uint64_t, 3>{17 * kGiB, 16 * kGiB - 0x4000, ~0ULL}) {
    EXPECT_FALSE(make_layout(Generation::G1, image, size)) << size;
  }
}

TEST(Layout, A_relocatable_kernel_runs_where_it_is_loaded) {
  ElfImage image = image_of(0x1000);
  image.address = 0;
  image.entry = 0x20;
  image.relocatable = true;
  const Result<Layout> layout = make_layout(Generation::G2, image, 64 * kMiB);
  ASSERT_TRUE(layout) << layout.error().message;
  EXPECT_EQ(layout->entry, 0x4020U);
  EXPECT_EQ(layout->code_virtual, 0x4000U);
}

TEST(Layout, Refuses_sizes_that_no_kernel_can_use) {
  for (const std::uint64_t size : std::array<std::uint64_t, 5>{0, 1, kMiB, 17 * kGiB, ~0ULL}) {
    EXPECT_FALSE(make_layout(Generation::G3, image_of(0x1000), size)) << size;
  }
  EXPECT_TRUE(make_layout(Generation::G3, image_of(0x1000), 16 * kMiB));
}

TEST(Layout, Refuses_code_that_covers_what_lies_at_its_physical_address) {
  ElfImage image = image_of(0x1000);
  image.address = image.entry = 0x6000;
  EXPECT_FALSE(make_layout(Generation::G3, image, 64 * kMiB));
  image.address = image.entry = 0x1000;
  EXPECT_FALSE(make_layout(Generation::G3, image, 64 * kMiB));
  image.address = image.entry = 0x4000'0000;
  EXPECT_TRUE(make_layout(Generation::G3, image, 64 * kMiB));
}

/// What the tables say about an address; 0: nothing.
std::uint64_t walk(std::span<const std::byte> tables, std::uint64_t at, std::uint64_t address) {
  std::uint64_t entry = at | 1;
  for (unsigned level = 4; level-- > 0;) {
    const std::uint64_t table = (entry & abi::hyperlight::kPteAddress) - at;
    const std::uint64_t index = address >> (12 + 9 * level) & 511;
    if ((entry & 1) == 0 || table + kPageSize > tables.size()) {
      return 0;
    }
    std::memcpy(&entry, tables.data() + table + index * 8, sizeof entry);
  }
  return entry;
}

TEST(PageTables, Map_each_page_with_its_bits_and_no_other) {
  PageTables tables(0xf'fc12'5000);
  tables.map(0x4000, 0x4000, 0x2001, abi::hyperlight::kPteCopyOnWrite);
  tables.map(0xffff'ffff'fbff'f000, 0xf'fc00'0000, 0x1000,
             abi::hyperlight::kPteWritable | abi::hyperlight::kPteNoExecute);
  const auto at = [&tables](std::uint64_t address) {
    return walk(tables.bytes(), 0xf'fc12'5000, address);
  };
  EXPECT_EQ(at(0x3000), 0U);
  EXPECT_EQ(at(0x4000), 0x4261U);
  EXPECT_EQ(at(0x6000), 0x6261U);
  EXPECT_EQ(at(0x7000), 0U);
  EXPECT_EQ(at(0xffff'ffff'fbff'f000), 0x8000'000f'fc00'0063U);
  EXPECT_EQ(at(0xffff'ffff'fc00'0000), 0U);
}

TEST(GuestMemory, Words_and_tables_are_those_of_upstreams_host) {
  const Layout layout = *make_layout(Generation::G3, image_of(0x12a123), 64 * kMiB);
  auto memory = GuestMemory::create(layout);
  ASSERT_TRUE(memory);
  ASSERT_TRUE(memory->fill(layout, image_of(0x12a123)));
  const Scratch& scratch = memory->scratch();
  const auto word = [&scratch](std::uint64_t from_end) {
    return scratch.load<std::uint64_t>(scratch.size() - from_end);
  };
  EXPECT_EQ(word(0x08), 64 * kMiB);
  EXPECT_EQ(word(0x10), 0xf'fc14'd000U);  // behind 40 pages of tables
  EXPECT_EQ(word(0x18), 0xf'fc12'5000U);
  EXPECT_EQ(word(0x38), 0xf'fc00'0000U);
  EXPECT_EQ(word(0x40), 64U);
  EXPECT_EQ(word(0x48), 36U);
  EXPECT_EQ(word(0x58), 32U);
  EXPECT_EQ(word(0x60), 256U);
  EXPECT_EQ(word(0x68), 32768U);
  const auto tables = scratch.part(layout.page_tables, 0x28000);
  EXPECT_EQ(walk(tables, 0xf'fc12'5000, 0x12f000) & 0xfff, 0x61U);  // PEB: read-only
  EXPECT_EQ(walk(tables, 0xf'fc12'5000, 0x130000) & 0xfff, 0x261U);
}

TEST(Scratch, An_address_of_the_guests_is_within_or_none) {
  std::array<std::byte, 0x1000> bytes{};
  const Scratch scratch(bytes, 0xffff'ffff'ffff'e000);
  EXPECT_EQ(scratch.offset_of(0xffff'ffff'ffff'e000, 0x1000), 0U);
  EXPECT_EQ(scratch.offset_of(0xffff'ffff'ffff'efff, 1), 0xfffU);
  EXPECT_FALSE(scratch.offset_of(0xffff'ffff'ffff'dfff, 1));
  EXPECT_FALSE(scratch.offset_of(0xffff'ffff'ffff'efff, 2));
  EXPECT_FALSE(scratch.offset_of(0xffff'ffff'ffff'e001, ~0ULL));
  EXPECT_FALSE(scratch.offset_of(0, 1));
}

}  // namespace
}  // namespace runhl::vmm::hyperlight
