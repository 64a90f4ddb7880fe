// SPDX-License-Identifier: Apache-2.0
// A snapshot's memory: the pages that a guest has mapped, packed together, and tables that map them
// where they were.
#pragma once

#include <cstdint>
#include <map>
#include <span>

#include "hyperlight/layout.h"
#include "hyperlight/mapped_pages.h"
#include "runhl/base/result.h"

namespace runhl::vmm::hyperlight {

struct SnapshotSizes {
  std::uint64_t image = 0, tables = 0;
};

/// Guest memory that was never written, in the files that it is of: to read it would make it. A
/// G1 guest has its whole heap mapped.
class Holes {
 public:
  /// What is not of the file, and all of one that cannot tell, is no hole.
  Result<void> add(std::uint64_t physical, int fd, std::uint64_t size);
  [[nodiscard]] bool contains(std::uint64_t physical) const;

 private:
  std::map<std::uint64_t, std::uint64_t> ends_;  ///< by where one begins
};

/// Into `fd`, which is made as large as it has to be. Pages of zeros are left out of the file.
/// GuestFault: more than fits in front of scratch; errors of the host.
Result<SnapshotSizes> write_snapshot_memory(int fd, std::span<const PhysicalRange> memory,
                                            std::span<const MappedPage> pages, const Layout& layout,
                                            const Holes& holes = {});

}  // namespace runhl::vmm::hyperlight
