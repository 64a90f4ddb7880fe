// SPDX-License-Identifier: Apache-2.0
// What the processor says of itself: the text of /proc/cpuinfo and of sysfs' caches.
#pragma once

#include <cstdint>
#include <string_view>

#include "fs/pseudo/text_writer.h"

namespace runhl::kernel {

struct CpuIdentity {
  char vendor[13] = {};
  char model_name[49] = {};
  std::uint32_t family = 0, model = 0, stepping = 0;
  std::uint32_t physical_bits = 36, virtual_bits = 48, cache_line = 64, highest_leaf = 0;
};
CpuIdentity cpu_identity();

enum class CacheType : std::uint8_t { None = 0, Data = 1, Instruction = 2, Unified = 3 };
struct CpuCache {
  CacheType type = CacheType::None;  // None: there is no cache of this index
  std::uint32_t level = 0, line = 0, ways = 0, partitions = 0, sets = 0;

  [[nodiscard]] std::uint64_t size() const {
    return std::uint64_t{line} * ways * partitions * sets;
  }
};
CpuCache cpu_cache(std::uint32_t index);

/// All entries of /proc/cpuinfo, one a CPU; `khz` 0: not known.
void write_cpu_info(TextWriter& out, std::uint32_t cpus, std::uint64_t khz);

}  // namespace runhl::kernel
