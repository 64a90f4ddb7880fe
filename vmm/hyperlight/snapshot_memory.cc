// SPDX-License-Identifier: Apache-2.0
#include "hyperlight/snapshot_memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <unordered_map>
#include <vector>

#include "hyperlight/page_tables.h"
#include "runhl/base/unique_fd.h"
#include "runhl/core/units.h"
#include "runhl/core/zeros.h"

namespace runhl::vmm::hyperlight {
namespace {

namespace hl = abi::hyperlight;

/// Where each page of the guest's goes: once, however often it is mapped.
struct Packed {
  std::vector<std::uint64_t> sources;  ///< physical, by place
  std::vector<std::uint64_t> places;   ///< offset in the image, by mapped page
};

Packed pack(std::span<const MappedPage> pages) {
  Packed packed;
  std::unordered_map<std::uint64_t, std::uint64_t> known;
  packed.places.reserve(pages.size());
  for (const MappedPage& page : pages) {
    const auto [at, is_new] = known.try_emplace(page.physical, packed.sources.size() * kPageSize);
    if (is_new) {
      packed.sources.push_back(page.physical);
    }
    packed.places.push_back(at->second);
  }
  return packed;
}

std::uint64_t leaf_bits(const MappedPage& page) {
  return (page.writable ? hl::kPteCopyOnWrite : 0) | (page.executable ? 0 : hl::kPteNoExecute);
}

PageTables tables_for(std::span<const MappedPage> pages, const Packed& packed,
                      const Layout& layout) {
  PageTables tables(layout.scratch_physical() + layout.page_tables);
  for (std::size_t i = 0; i < pages.size(); ++i) {
    tables.map(pages[i].address, layout.base + packed.places[i], kPageSize, leaf_bits(pages[i]));
  }
  tables.map(layout.scratch_virtual(), layout.scratch_physical(), layout.scratch_size,
             hl::kPteWritable | hl::kPteNoExecute);
  return tables;
}

Result<Mapping> map_file(int fd, std::uint64_t size) {
  if (::ftruncate(fd, 0) != 0 || ::ftruncate(fd, static_cast<off_t>(size)) != 0) {
    return fail_errno("snapshot");
  }
  void* const at = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (at == MAP_FAILED) {
    return fail_errno("snapshot");
  }
  return Mapping({static_cast<std::byte*>(at), size});
}

}  // namespace

Result<void> Holes::add(std::uint64_t physical, int fd, std::uint64_t size) {
  const auto end = static_cast<off_t>(size);
  for (off_t at = 0; at < end;) {
    const off_t hole = ::lseek(fd, at, SEEK_HOLE);
    if (hole < 0) {
      return fail_errno("guest memory");
    }
    const off_t data = hole < end ? ::lseek(fd, hole, SEEK_DATA) : end;
    if (data < 0 && errno != ENXIO) {
      return fail_errno("guest memory");
    }
    at = data < 0 || data > end ? end : data;  // ENXIO: none behind it
    if (hole < at) {
      ends_[physical + static_cast<std::uint64_t>(hole)] =
          physical + static_cast<std::uint64_t>(at);
    }
  }
  return {};
}

bool Holes::contains(std::uint64_t physical) const {
  const auto next = ends_.upper_bound(physical);
  return next != ends_.begin() && physical < std::prev(next)->second;
}

Result<SnapshotSizes> write_snapshot_memory(int fd, std::span<const PhysicalRange> memory,
                                            std::span<const MappedPage> pages, const Layout& layout,
                                            const Holes& holes) {
  const Packed packed = pack(pages);
  const PageTables tables = tables_for(pages, packed, layout);
  const std::span<const std::byte> table_bytes = tables.bytes();
  const SnapshotSizes sizes{packed.sources.size() * kPageSize, table_bytes.size()};
  if (sizes.image == 0 || sizes.image > hl::kMaxMemory ||
      sizes.tables > layout.scratch_size - layout.page_tables) {
    return fail(ErrorCode::GuestFault, "it maps more than a snapshot can hold");
  }
  const Mapping file = TRY(map_file(fd, sizes.image + sizes.tables));
  const std::span<std::byte> to = file.bytes();
  for (std::size_t i = 0; i < packed.sources.size(); ++i) {
    const std::span<const std::byte> from = page_at(memory, packed.sources[i]);
    if (!holes.contains(packed.sources[i]) && !is_zero(from)) {
      std::copy(from.begin(), from.end(), to.subspan(i * kPageSize).begin());
    }
  }
  std::copy(table_bytes.begin(), table_bytes.end(), to.subspan(sizes.image).begin());
  return sizes;
}

}  // namespace runhl::vmm::hyperlight
