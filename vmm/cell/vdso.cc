// SPDX-License-Identifier: Apache-2.0
#include "cell/vdso.h"

#include <fcntl.h>

#include <charconv>
#include <string>

#include "runhl/abi/layout.h"
#include "runhl/base/file_io.h"
#include "runhl/base/unique_fd.h"

namespace runhl::vmm::cell {

namespace {

constexpr std::size_t kMaxMapsText = 1 << 20;

/// "7fac23450000-7fac23454000 r--p …"; size 0: not such a line.
VdsoMappings::Range parse_range(std::string_view line) {
  std::uint64_t start = 0, end = 0;
  const char* const begin = &*line.begin();  // never empty: it ends with the name
  const char* const last = begin + line.size();
  const auto first = std::from_chars(begin, last, start, 16);
  if (first.ec != std::errc{} || first.ptr == last || *first.ptr != '-') {
    return {};
  }
  const auto second = std::from_chars(first.ptr + 1, last, end, 16);
  if (second.ec != std::errc{} || end <= start) {
    return {};
  }
  return {start, end - start};
}

}  // namespace

VdsoMappings parse_vdso_mappings(std::string_view maps) {
  VdsoMappings found;
  while (!maps.empty()) {
    const std::size_t end = maps.find('\n');
    const std::string_view line = maps.substr(0, end);
    maps.remove_prefix(end == std::string_view::npos ? maps.size() : end + 1);
    const bool vdso = line.ends_with("[vdso]");
    if (!vdso && !line.ends_with("[vvar]") && !line.ends_with("[vvar_vclock]")) {
      continue;
    }
    const VdsoMappings::Range range = parse_range(line);
    if (range.size == 0 || found.count == VdsoMappings::kMaxRanges) {
      return {};
    }
    found.ranges[found.count++] = range;
    if (vdso) {
      found.vdso = range;
    }
  }
  // Far apart or without code they are of no use: as if the host had none.
  if (found.vdso.size == 0 || found.size() > abi::kVdsoAreaSize) {
    return {};
  }
  return found;
}

Result<VdsoMappings> find_vdso(int proc_dir) {
  const UniqueFd maps{::openat(proc_dir, "self/maps", O_RDONLY | O_CLOEXEC)};
  if (!maps) {
    return fail_errno("open /proc/self/maps");
  }
  return parse_vdso_mappings(TRY(read_up_to(maps.get(), kMaxMapsText, "read /proc/self/maps")));
}

}  // namespace runhl::vmm::cell
