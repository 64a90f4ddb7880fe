// SPDX-License-Identifier: Apache-2.0
#include "fs/proc/memory_info.h"

#include <algorithm>

#include "fs/proc/process_files.h"
#include "host/events.h"
#include "mm/heap_init.h"

namespace runhl::kernel {
namespace {

std::uint64_t resident_of_all() {
  std::uint64_t sum = 0;
  for (std::int32_t pid = next_process(1); pid != 0; pid = next_process(pid + 1)) {
    const Result<ProcessTarget> target = find_target({.row = nullptr, .pid = pid});
    sum += target ? process_memory(*target).anonymous : 0;
  }
  return sum;
}

}  // namespace

MemoryInfo memory_info() {
  const abi::MonitorPage& page = monitor_page();
  MemoryInfo memory;
  memory.total = page.memory_limit != 0 ? page.memory_limit : page.host_memory;
  memory.shared = page.heap_size - std::min(page.heap_size, heap_free_bytes());
  const std::uint64_t used = memory.shared + resident_of_all();
  memory.free = memory.total - std::min(memory.total, used);
  return memory;
}

}  // namespace runhl::kernel
