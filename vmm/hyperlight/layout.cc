// SPDX-License-Identifier: Apache-2.0
#include "hyperlight/layout.h"

#include <algorithm>
#include <string>

#include "runhl/core/units.h"

namespace runhl::vmm::hyperlight {
namespace {

namespace hl = abi::hyperlight;

constexpr std::uint64_t pages(std::uint64_t size) {
  return align_up(size, kPageSize);
}

void place_queues(Layout* layout) {
  layout->g2h_ring = 0;
  layout->h2g_ring = align_up(hl::kG2hRingSize, 16);
  layout->mailbox = align_up(layout->h2g_ring + hl::kH2gRingSize, 8);
  layout->g2h_pool = pages(layout->mailbox + 8);
  layout->h2g_pool = layout->g2h_pool + hl::kG2hPoolPages * kPageSize;
  layout->page_tables = layout->h2g_pool + hl::kH2gPoolPages * kPageSize;
}

void place_stacks(Layout* layout, std::uint64_t stack_size) {
  layout->stack_size = layout->generation == Generation::G1 ? stack_size : hl::kStackBufferSize;
  layout->input_stack = 0;
  layout->output_stack = layout->stack_size;
  layout->page_tables = pages(2 * layout->stack_size);
}

/// What maps `size` bytes with 4 KiB pages, of two windows and whatever low memory there is.
constexpr std::uint64_t page_table_bound(std::uint64_t size) {
  constexpr std::uint64_t kTablesReach = 512 * kPageSize;
  return (size / kTablesReach + 2 * (size >> 30) + 16) * kPageSize;
}

/// As upstream's host: for copies of what the guest writes to, and their page tables.
constexpr std::uint64_t scratch_of_heap(std::uint64_t heap) {
  return pages((heap / (2 * kMiB) + 16) * kPageSize + std::max(heap / 4, 64 * kMiB));
}

tl::unexpected<Error> too_large(std::uint64_t size) {
  return fail(ErrorCode::InvalidArgument,
              "memory of " + std::to_string(size) + " bytes is more than 16 GiB");
}

/// Kernels of G1 run where they are loaded, later ones where they were linked to, if anywhere.
Result<void> place_code(Layout* layout, const ElfImage& image) {
  const bool oldest = layout->generation == Generation::G1;
  const bool moves = oldest || image.relocatable;
  layout->base = oldest ? hl::kBaseG1 : hl::kBase;
  if (!moves && image.address < hl::kBase) {
    return fail(ErrorCode::Unsupported, "a kernel linked below 0x4000");
  }
  layout->code_virtual = moves ? layout->base : image.address;
  layout->code_size = pages(image.size);
  layout->entry = image.entry - image.address + layout->code_virtual;
  return {};
}

void place_image_part(Layout* layout, std::uint64_t heap_size, std::uint64_t init_data_size) {
  layout->peb = layout->base + layout->code_size;
  layout->heap = layout->peb + kPageSize;
  layout->heap_size = heap_size;
  layout->init_data = layout->heap + pages(heap_size);
  layout->init_data_size = pages(init_data_size);
  layout->image_size = layout->init_data + layout->init_data_size - layout->base;
}

}  // namespace

Result<Layout> make_layout(Generation generation, const ElfImage& image, std::uint64_t memory_size,
                           std::uint64_t init_data_size, std::uint64_t stack_size) {
  if (stack_size < hl::kLeastStackBufferG1 || stack_size > hl::kMostStackBufferG1) {
    return fail(ErrorCode::InvalidArgument,
                "buffer stacks of " + std::to_string(stack_size) + " bytes");
  }
  if (memory_size > hl::kMaxMemory || init_data_size > hl::kMaxMemory) {
    return too_large(std::max(memory_size, init_data_size));
  }
  const bool by_heap = generation == Generation::G1;
  Layout layout;
  layout.generation = generation;
  layout.initrd = by_heap ? hl::kInitrdG1 : hl::kInitrd;
  TRY(place_code(&layout, image));
  place_image_part(&layout, by_heap ? memory_size : hl::kHeapSize, init_data_size);
  // Where code is not at its physical address, it must not cover what is.
  if (layout.code_virtual != layout.base && layout.code_virtual < layout.base + layout.image_size) {
    return fail(ErrorCode::Unsupported, "a kernel whose code covers its own PEB or heap");
  }
  if (by_heap && layout.image_size > hl::kMaxMemory) {
    return too_large(memory_size);
  }
  if (layout.image_size > hl::kMaxMemory || layout.code_virtual > hl::kVirtualTop / 2) {
    return fail(ErrorCode::Unsupported, "a kernel that does not fit into its part of memory");
  }
  if (generation == Generation::G3) {
    place_queues(&layout);
  } else {
    place_stacks(&layout, stack_size);
  }
  const std::uint64_t scratch = by_heap ? scratch_of_heap(memory_size) : memory_size;
  layout.scratch_size = pages(scratch);
  const std::uint64_t least =
      layout.page_tables + page_table_bound(scratch + layout.image_size) + 22 * kPageSize;
  if (scratch < least) {
    return fail(ErrorCode::InvalidArgument, "memory of " + std::to_string(memory_size) +
                                                " bytes is less than the " + std::to_string(least) +
                                                " that the kernel needs");
  }
  return layout;
}

}  // namespace runhl::vmm::hyperlight
