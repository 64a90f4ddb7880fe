// SPDX-License-Identifier: Apache-2.0
// The first page tables of a guest, which it goes on with: 4 levels, 4 KiB pages.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace runhl::vmm::hyperlight {

class PageTables {
 public:
  /// `at`: guest-physical address of the first of the tables, which follow each other.
  explicit PageTables(std::uint64_t at);

  /// `size` is rounded up to a page. `leaf`: bits of each entry beside present, accessed, dirty.
  void map(std::uint64_t guest_virtual, std::uint64_t guest_physical, std::uint64_t size,
           std::uint64_t leaf);

  [[nodiscard]] std::span<const std::byte> bytes() const;

 private:
  using Table = std::array<std::uint64_t, 512>;
  /// Index of the table that `entry` of table `in` names; makes it if need be.
  std::size_t below(std::size_t in, std::size_t entry);

  std::uint64_t at_;
  std::vector<Table> tables_;
};

}  // namespace runhl::vmm::hyperlight
