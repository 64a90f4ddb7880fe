// SPDX-License-Identifier: Apache-2.0
#include "hyperlight/guest_memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <utility>

#include "hyperlight/page_tables.h"
#include "runhl/base/file_io.h"
#include "runhl/core/units.h"

namespace runhl::vmm::hyperlight {
namespace {

namespace hl = abi::hyperlight;

std::array<std::uint64_t, 8> peb_of(const Layout& layout) {
  std::array<std::uint64_t, 8> peb{};
  const auto put = [&peb](std::uint64_t at, std::uint64_t size, std::uint64_t address) {
    peb[at / 8] = size;
    peb[at / 8 + 1] = address;
  };
  if (layout.generation == Generation::G3) {
    put(hl::kPebPairG3InitData, layout.init_data_size, layout.init_data);
    put(hl::kPebPairG3Heap, layout.heap_size, layout.heap);
  } else {
    put(hl::kPebPairG2InputStack, layout.stack_size, layout.scratch_virtual() + layout.input_stack);
    put(hl::kPebPairG2OutputStack, layout.stack_size,
        layout.scratch_virtual() + layout.output_stack);
    put(hl::kPebPairG2InitData, layout.init_data_size, layout.init_data);
    put(hl::kPebPairG2Heap, layout.heap_size, layout.heap);
  }
  return peb;
}

PageTables tables_of(const Layout& layout) {
  PageTables tables(layout.scratch_physical() + layout.page_tables);
  tables.map(layout.code_virtual, layout.base, layout.code_size, hl::kPteCopyOnWrite);
  tables.map(layout.peb, layout.peb, kPageSize, hl::kPteNoExecute);
  // Kernels of G1 load their program into the heap.
  tables.map(layout.heap, layout.heap, layout.init_data - layout.heap,
             hl::kPteCopyOnWrite | (layout.generation == Generation::G1 ? 0 : hl::kPteNoExecute));
  tables.map(layout.init_data, layout.init_data, layout.init_data_size, hl::kPteNoExecute);
  tables.map(layout.scratch_virtual(), layout.scratch_physical(), layout.scratch_size,
             hl::kPteWritable | hl::kPteNoExecute);
  return tables;
}

void put_words(Scratch* scratch, const Layout& layout, std::uint64_t tables_size) {
  const auto put = [scratch](std::uint64_t from_end, std::uint64_t value) {
    scratch->store(scratch->size() - from_end, value);
  };
  const std::uint64_t physical = layout.scratch_physical();
  put(hl::kWordScratchSize, layout.scratch_size);
  put(hl::kWordNextFree, physical + layout.page_tables + tables_size);
  put(hl::kWordPageTables, physical + layout.page_tables);
  if (layout.generation != Generation::G3) {
    scratch->store(layout.input_stack, hl::kStackEmpty);
    scratch->store(layout.output_stack, hl::kStackEmpty);
    return;
  }
  put(hl::kWordArena, physical);
  put(hl::kWordG2hCount, hl::kG2hCount);
  put(hl::kWordG2hPoolPages, hl::kG2hPoolPages);
  put(hl::kWordG2hBuffer, hl::kG2hBuffer);
  put(hl::kWordH2gCount, hl::kH2gCount);
  put(hl::kWordH2gPoolPages, hl::kH2gPoolPages);
  put(hl::kWordH2gBuffer, hl::kH2gBuffer);
}

}  // namespace

std::uint16_t Scratch::load_acquire(std::uint64_t offset) const {
  // SAFETY: in bounds by subspan; even by the contract, and the mapping begins on a page.
  return std::atomic_ref(*reinterpret_cast<std::uint16_t*>(bytes_.subspan(offset, 2).data()))
      .load(std::memory_order_acquire);
}

void Scratch::store_release(std::uint64_t offset, std::uint16_t value) {
  // SAFETY: as above.
  std::atomic_ref(*reinterpret_cast<std::uint16_t*>(bytes_.subspan(offset, 2).data()))
      .store(value, std::memory_order_release);
}

std::optional<std::uint64_t> Scratch::offset_of(std::uint64_t address, std::uint64_t length) const {
  if (address < virtual_ || address - virtual_ > size() || length > size() - (address - virtual_)) {
    return std::nullopt;
  }
  return address - virtual_;
}

Result<GuestMemory::Part> GuestMemory::make_part(std::uint64_t size) {
  Part part;
  part.fd.reset(::memfd_create("hyperlight-guest", MFD_CLOEXEC));
  if (!part.fd || ::ftruncate(part.fd.get(), static_cast<off_t>(size)) != 0) {
    return fail_errno("guest memory");
  }
  void* const at =
      ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, part.fd.get(), 0);
  if (at == MAP_FAILED) {
    return fail_errno("guest memory");
  }
  part.mapping = Mapping({static_cast<std::byte*>(at), size});
  return part;
}

Result<GuestMemory> GuestMemory::create(const Layout& layout) {
  Part image = TRY(make_part(layout.image_size));
  Part scratch = TRY(make_part(layout.scratch_size));
  return GuestMemory(std::move(image), layout.image_size, std::move(scratch),
                     layout.scratch_virtual());
}

Result<void> GuestMemory::fill(const Layout& layout, const ElfImage& image,
                               std::span<const std::byte> init_data) {
  const std::span<std::byte> low = image_.mapping.bytes();
  image.copy_to(low);
  const std::array<std::uint64_t, 8> peb = peb_of(layout);
  std::memcpy(low.subspan(layout.peb - layout.base, sizeof peb).data(), peb.data(), sizeof peb);
  std::copy(init_data.begin(), init_data.end(),
            low.subspan(layout.init_data - layout.base, init_data.size()).begin());
  const PageTables tables = tables_of(layout);
  const std::span<const std::byte> bytes = tables.bytes();
  if (bytes.size() > layout.scratch_size - layout.page_tables) {
    return fail(ErrorCode::InvalidArgument, "memory too small for its own page tables");
  }
  std::copy(bytes.begin(), bytes.end(), scratch_.part(layout.page_tables, bytes.size()).begin());
  put_words(&scratch_, layout, bytes.size());
  return {};
}

namespace {

Result<void> check_sizes(const Layout& layout, const Snapshot& snapshot, int memory_fd) {
  struct stat info{};
  if (::fstat(memory_fd, &info) != 0) {
    return fail_errno("snapshot");
  }
  constexpr std::uint64_t kLeastFree = 16 * kPageSize;
  const std::uint64_t image = snapshot.image_size, tables = snapshot.tables_size;
  if (image == 0 || tables == 0 || !is_aligned(image | tables, kPageSize) ||
      image > hl::kMaxMemory || tables > layout.scratch_size - layout.page_tables - kLeastFree ||
      static_cast<std::uint64_t>(info.st_size) != image + tables) {
    return fail(ErrorCode::InvalidArgument, "a snapshot whose memory has another size");
  }
  return {};
}

void put_restore_words(Scratch* scratch, std::uint64_t number) {
  std::uint32_t seed = 0;
  (void)!::getrandom(&seed, sizeof seed, 0);  // 4 bytes never come short
  scratch->store(scratch->size() - hl::kWordGeneration, number);
  scratch->store(scratch->size() - hl::kWordReseed, hl::kReseed | seed);
}

}  // namespace

Result<GuestMemory> GuestMemory::restore(const Layout& layout, const Snapshot& snapshot,
                                         int memory_fd) {
  TRY(check_sizes(layout, snapshot, memory_fd));
  Part image;
  image.fd.reset(::fcntl(memory_fd, F_DUPFD_CLOEXEC, 0));
  void* const at = ::mmap(nullptr, snapshot.image_size, PROT_READ, MAP_SHARED, memory_fd, 0);
  if (!image.fd || at == MAP_FAILED) {
    return fail_errno("snapshot");
  }
  image.mapping = Mapping({static_cast<std::byte*>(at), snapshot.image_size});
  GuestMemory memory(std::move(image), snapshot.image_size, TRY(make_part(layout.scratch_size)),
                     layout.scratch_virtual());
  TRY(read_all_at(memory_fd, memory.scratch_.part(layout.page_tables, snapshot.tables_size),
                  snapshot.image_size, "snapshot"));
  put_words(&memory.scratch_, layout, snapshot.tables_size);
  put_restore_words(&memory.scratch_, snapshot.number);
  return memory;
}

Result<SnapshotSizes> GuestMemory::write_snapshot(int fd, const Layout& layout,
                                                  std::uint64_t tables,
                                                  std::span<const std::byte> initrd) const {
  const std::array<PhysicalRange, 3> memory{
      {{layout.base, image_.mapping.bytes()},
       {layout.initrd, initrd},
       {layout.scratch_physical(), scratch_part_.mapping.bytes()}}};
  std::uint64_t most = 0;  // twice what there is: the kernel maps some of it at two places
  for (const PhysicalRange& range : memory) {
    most += 2 * (range.bytes.size() / kPageSize);
  }
  const std::vector<MappedPage> pages =
      TRY(mapped_pages(memory, tables, layout.scratch_virtual(), most));
  Holes holes;
  TRY(holes.add(layout.base, image_.fd.get(), image_size_));
  TRY(holes.add(layout.scratch_physical(), scratch_part_.fd.get(), layout.scratch_size));
  return write_snapshot_memory(fd, memory, pages, layout, holes);
}

std::array<PhysicalRange, 2> GuestMemory::ranges(const Layout& layout) const {
  return {{{layout.base, image_.mapping.bytes()},
           {layout.scratch_physical(), scratch_part_.mapping.bytes()}}};
}

Result<void> GuestMemory::map_into(Backend* backend, const Layout& layout) const {
  TRY(backend->map(layout.base, {image_.fd.get(), 0, image_size_, Access::ReadOnly}));
  return backend->map(layout.scratch_physical(),
                      {scratch_part_.fd.get(), 0, layout.scratch_size, Access::ReadWrite});
}

}  // namespace runhl::vmm::hyperlight
