// SPDX-License-Identifier: Apache-2.0
// Where the host mapped its vdso and the data pages before it. They move into the window together:
// the code finds the data by its distance.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "runhl/base/result.h"

namespace runhl::vmm::cell {

struct VdsoMappings {
  struct Range {
    std::uint64_t start = 0, size = 0;
  };
  static constexpr std::size_t kMaxRanges = 4;  // [vvar], [vvar_vclock] (Linux 6.13), [vdso]

  std::array<Range, kMaxRanges> ranges{};  ///< ascending
  std::size_t count = 0;
  Range vdso;  ///< one of them; size 0: the host has none

  [[nodiscard]] std::uint64_t start() const { return count == 0 ? 0 : ranges[0].start; }
  [[nodiscard]] std::uint64_t size() const {
    return count == 0 ? 0 : ranges[count - 1].start + ranges[count - 1].size - ranges[0].start;
  }
};

/// @param maps the text of /proc/self/maps
VdsoMappings parse_vdso_mappings(std::string_view maps);

/// This process's. @param proc_dir the host's /proc
Result<VdsoMappings> find_vdso(int proc_dir);

}  // namespace runhl::vmm::cell
