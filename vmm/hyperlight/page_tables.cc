// SPDX-License-Identifier: Apache-2.0
#include "hyperlight/page_tables.h"

#include "runhl/abi/hyperlight.h"
#include "runhl/core/units.h"

namespace runhl::vmm::hyperlight {
namespace {

// Intel SDM vol. 3A, 4.5: nine bits of the address a level, above the twelve of the page.
constexpr std::size_t index_at(std::uint64_t address, unsigned level) {
  return (address >> (12 + 9 * level)) & 511;
}

}  // namespace

PageTables::PageTables(std::uint64_t at) : at_(at), tables_(1) {}

std::size_t PageTables::below(std::size_t in, std::size_t entry) {
  const std::uint64_t present = tables_[in][entry];
  if (present != 0) {
    return ((present & abi::hyperlight::kPteAddress) - at_) / kPageSize;
  }
  const std::size_t made = tables_.size();
  tables_.emplace_back();
  tables_[in][entry] = (at_ + made * kPageSize) | abi::hyperlight::kPtePresent |
                       abi::hyperlight::kPteWritable | abi::hyperlight::kPteAccessed;
  return made;
}

void PageTables::map(std::uint64_t guest_virtual, std::uint64_t guest_physical, std::uint64_t size,
                     std::uint64_t leaf) {
  const std::uint64_t bits = leaf | abi::hyperlight::kPtePresent | abi::hyperlight::kPteAccessed |
                             abi::hyperlight::kPteDirty;
  for (std::uint64_t offset = 0; offset < size; offset += kPageSize) {
    const std::uint64_t address = guest_virtual + offset;
    std::size_t table = 0;
    for (unsigned level = 3; level > 0; --level) {
      table = below(table, index_at(address, level));
    }
    tables_[table][index_at(address, 0)] = (guest_physical + offset) | bits;
  }
}

std::span<const std::byte> PageTables::bytes() const {
  return std::as_bytes(std::span(tables_));
}

}  // namespace runhl::vmm::hyperlight
