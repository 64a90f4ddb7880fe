// SPDX-License-Identifier: Apache-2.0
// ELF programs: the parser judges bytes and touches nothing else; the loader maps what it found.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "core/result.h"
#include "core/user_memory.h"
#include "fs/file.h"

namespace runhl::kernel {

class AddressSpace;

struct ElfSegment {
  std::uint64_t address = 0;
  std::uint64_t memory_size = 0;
  std::uint64_t offset = 0;
  std::uint64_t file_size = 0;
  std::uint32_t protection = 0;  // PROT_*
};

/// What is not `broken` is checked: segments lie in user space (for position-independent files: fit
/// into it) and sizes do not overflow. Segments may overlap and come in any order, and their bytes
/// may lie behind the file's end, as on Linux.
struct ElfPlan {
  static constexpr std::size_t kMaxSegments = 32;

  bool position_independent = false;
  bool executable_stack = false;
  bool broken = false;  // segments that cannot be loaded: Linux finds out when nothing else is left
  bool odd = false;     // Linux loads it and no linker writes it: order, overlap, bytes not there
  std::uint64_t entry = 0;
  std::uint64_t headers_address = 0;  // of the program headers, 0: not in memory
  std::uint16_t header_count = 0;
  std::uint64_t alignment = 0;  // of the load base
  std::uint64_t interpreter_offset = 0;
  std::uint64_t interpreter_size = 0;  // with its NUL; 0: none
  std::size_t segment_count = 0;
  std::array<ElfSegment, kMaxSegments> segments{};

  [[nodiscard]] std::uint64_t lowest() const;  // whole pages
  [[nodiscard]] std::uint64_t highest() const;
};

/// How many bytes of the file parse_elf() needs, told by its first 64; ENOEXEC.
Result<std::size_t> elf_header_size(std::span<const std::byte> first_bytes);

/// ENOEXEC for anything that is not an x86-64 program; EIO: its interpreter's name is not there.
Result<void> parse_elf(std::span<const std::byte> header_bytes, std::uint64_t file_size,
                       ElfPlan& plan);

struct LoadedElf {
  UserAddress base = 0;  // added to the file's addresses
  UserAddress entry = 0;
  UserAddress headers = 0;
  UserAddress end = 0;  // of the highest segment
};

/// Maps the segments at `base` + their addresses (base 0 for fixed programs).
Result<LoadedElf> load_elf(AddressSpace& mm, const ElfPlan& plan, const Ref<File>& file,
                           UserAddress base);

}  // namespace runhl::kernel
