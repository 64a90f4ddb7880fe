// SPDX-License-Identifier: Apache-2.0
#include "hyperlight/mapped_pages.h"

#include <algorithm>
#include <cstring>

#include "runhl/abi/hyperlight.h"
#include "runhl/core/units.h"

namespace runhl::vmm::hyperlight {
namespace {

namespace hl = abi::hyperlight;

constexpr unsigned kTopLevel = 3;  // the PML4; pages' own tables are level 0
constexpr std::uint64_t kEntries = 512;
constexpr std::uint64_t kSpareTables = 4096;

constexpr std::uint64_t reach(unsigned level) {
  return kPageSize << (9 * level);
}

/// Bit 47 of a 48-bit address goes on to the left.
constexpr std::uint64_t canonical(std::uint64_t address) {
  return (address & 1ULL << 47) == 0 ? address : address | 0xffffULL << 48;
}

class Walk {
 public:
  Walk(std::span<const PhysicalRange> memory, std::uint64_t scratch_virtual, std::uint64_t most)
      : memory_(memory),
        end_(scratch_virtual),
        most_(most),
        tables_left_(most / kEntries * 2 + kSpareTables) {}

  /// `writable`, `executable`: what the tables above allow.
  Result<void> table(std::uint64_t at, unsigned level, std::uint64_t address, bool writable,
                     bool executable);
  std::vector<MappedPage> pages;

 private:
  Result<void> entry(std::uint64_t value, unsigned level, std::uint64_t address, bool writable,
                     bool executable);
  Result<void> leaf(std::uint64_t physical, unsigned level, const MappedPage& like);

  std::span<const PhysicalRange> memory_;
  std::uint64_t end_, most_, tables_left_;
};

Result<void> Walk::table(std::uint64_t at, unsigned level, std::uint64_t address, bool writable,
                         bool executable) {
  const std::span<const std::byte> bytes = page_at(memory_, at);
  if (bytes.empty()) {
    return {};
  }
  if (tables_left_ == 0) {
    return fail(ErrorCode::GuestFault, "it has more page tables than memory");
  }
  --tables_left_;
  for (std::uint64_t i = 0; i < kEntries; ++i) {
    std::uint64_t value = 0;  // copied once
    std::memcpy(&value, bytes.subspan(i * sizeof value, sizeof value).data(), sizeof value);
    if ((value & hl::kPtePresent) != 0) {
      TRY(entry(value, level, canonical(address + i * reach(level)), writable, executable));
    }
  }
  return {};
}

Result<void> Walk::entry(std::uint64_t value, unsigned level, std::uint64_t address, bool writable,
                         bool executable) {
  const bool is_leaf = level == 0 || (value & hl::kPteLarge) != 0;
  if (address >= end_ || (address >= hl::kTablesWindow && address < hl::kTablesWindowEnd) ||
      (is_leaf && level == kTopLevel)) {
    return {};
  }
  const bool may_execute = executable && (value & hl::kPteNoExecute) == 0;
  const std::uint64_t physical = value & hl::kPteAddress;
  if (!is_leaf) {
    return table(physical, level - 1, address, writable && (value & hl::kPteWritable) != 0,
                 may_execute);
  }
  MappedPage like;
  like.address = address;
  like.writable = writable && (value & (hl::kPteWritable | hl::kPteCopyOnWrite)) != 0;
  like.executable = may_execute;
  return leaf(physical & ~(reach(level) - 1), level, like);
}

/// The part of it that there is memory for: never as much work as a large page promises.
Result<void> Walk::leaf(std::uint64_t physical, unsigned level, const MappedPage& like) {
  for (const PhysicalRange& range : memory_) {
    const std::uint64_t first = std::max(physical, range.at);
    const std::uint64_t end =
        std::min(physical + reach(level), align_down(range.at + range.bytes.size(), kPageSize));
    for (std::uint64_t at = first; at < end; at += kPageSize) {
      MappedPage page = like;
      page.address += at - physical;
      page.physical = at;
      if (page.address >= end_) {
        break;
      }
      if (pages.size() == most_) {
        return fail(ErrorCode::GuestFault, "it maps more than it has");
      }
      pages.push_back(page);
    }
  }
  return {};
}

/// The page behind one virtual address; empty: none.
std::span<const std::byte> mapped_page(std::span<const PhysicalRange> memory, std::uint64_t tables,
                                       std::uint64_t address) {
  std::uint64_t at = tables & hl::kPteAddress;
  for (unsigned level = kTopLevel;; --level) {
    const std::span<const std::byte> table = page_at(memory, at);
    if (table.empty()) {
      return {};
    }
    std::uint64_t value = 0;  // copied once
    const std::uint64_t index = address / reach(level) % kEntries;
    std::memcpy(&value, table.subspan(index * sizeof value, sizeof value).data(), sizeof value);
    const bool large = level != 0 && (value & hl::kPteLarge) != 0;
    if ((value & hl::kPtePresent) == 0 || (large && level == kTopLevel)) {
      return {};
    }
    at = value & hl::kPteAddress;
    if (level == 0 || large) {
      const std::uint64_t inside = address & (reach(level) - 1);
      return page_at(memory, (at & ~(reach(level) - 1)) + align_down(inside, kPageSize));
    }
  }
}

}  // namespace

std::span<const std::byte> page_at(std::span<const PhysicalRange> memory, std::uint64_t address) {
  for (const PhysicalRange& range : memory) {
    if (address >= range.at && address - range.at < range.bytes.size() &&
        range.bytes.size() - (address - range.at) >= kPageSize) {
      return range.bytes.subspan(address - range.at, kPageSize);
    }
  }
  return {};
}

Result<std::vector<MappedPage>> mapped_pages(std::span<const PhysicalRange> memory,
                                             std::uint64_t tables, std::uint64_t scratch_virtual,
                                             std::uint64_t most) {
  Walk walk(memory, scratch_virtual, most);
  TRY(walk.table(tables & hl::kPteAddress, kTopLevel, 0, true, true));
  return std::move(walk.pages);
}

std::vector<std::byte> read_mapped(std::span<const PhysicalRange> memory, std::uint64_t tables,
                                   std::uint64_t address, std::uint64_t size) {
  std::vector<std::byte> bytes;
  while (bytes.size() < size) {
    const std::uint64_t at = address + bytes.size(), inside = at % kPageSize;
    const std::span<const std::byte> page = mapped_page(memory, tables, at);
    if (page.empty()) {
      return {};
    }
    const std::uint64_t part = std::min(kPageSize - inside, size - bytes.size());
    bytes.insert(bytes.end(), page.begin() + static_cast<std::ptrdiff_t>(inside),
                 page.begin() + static_cast<std::ptrdiff_t>(inside + part));
  }
  return bytes;
}

}  // namespace runhl::vmm::hyperlight
