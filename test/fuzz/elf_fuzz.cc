// SPDX-License-Identifier: Apache-2.0
// The guest kernel's ELF parser: any bytes give a plan that keeps its promises, or ENOEXEC.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "proc/elf_loader.h"
#include "runhl/abi/layout.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace runhl::kernel;
  // The first 8 bytes are the file's size, so that it is not tied to the header's.
  if (size < sizeof(std::uint64_t)) {
    return 0;
  }
  std::uint64_t file_size = 0;
  __builtin_memcpy(&file_size, data, sizeof file_size);
  const auto bytes = std::as_bytes(std::span(data, size)).subspan(sizeof file_size);
  ElfPlan plan;
  (void)elf_header_size(bytes);
  if (!parse_elf(bytes, file_size, plan)) {
    return 0;
  }
  std::uint64_t end = 0;
  for (std::size_t i = 0; i < plan.segment_count; ++i) {
    const ElfSegment& segment = plan.segments[i];
    const bool fits = segment.address >= end && segment.file_size <= segment.memory_size &&
                      segment.address + segment.memory_size < runhl::abi::kUserEnd &&
                      segment.offset + segment.file_size <= file_size;
    if (!fits) {
      std::abort();
    }
    end = segment.address + segment.memory_size;
  }
  return 0;
}
