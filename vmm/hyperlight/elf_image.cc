// SPDX-License-Identifier: Apache-2.0
#include "hyperlight/elf_image.h"

#include <elf.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <string>

#include "runhl/abi/hyperlight.h"
#include "runhl/core/units.h"

namespace runhl::vmm::hyperlight {
namespace {

constexpr unsigned kMaxSegments = 64;

tl::unexpected<Error> bad(std::string why) {
  return fail(ErrorCode::InvalidArgument, std::move(why));
}

/// `count` bytes at `offset` lie within `size`.
bool within(std::uint64_t offset, std::uint64_t count, std::uint64_t size) {
  return offset <= size && count <= size - offset;
}

Result<Elf64_Ehdr> header_of(std::span<const std::byte> file) {
  Elf64_Ehdr header{};
  if (file.size() < SELFMAG || std::memcmp(file.data(), ELFMAG, SELFMAG) != 0) {
    return bad("not an ELF file");
  }
  if (file.size() < sizeof header) {
    return bad("a truncated ELF file");
  }
  std::memcpy(&header, file.data(), sizeof header);
  if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB) {
    return bad("not a 64-bit little-endian ELF file");
  }
  if (header.e_machine != EM_X86_64) {
    return bad("an ELF file for another machine than x86-64");
  }
  if (header.e_type != ET_EXEC && header.e_type != ET_DYN) {
    return bad("an ELF file that is no program");
  }
  return header;
}

Result<std::vector<Elf64_Phdr>> loads_of(std::span<const std::byte> file,
                                         const Elf64_Ehdr& header) {
  if (header.e_phnum > kMaxSegments || header.e_phentsize != sizeof(Elf64_Phdr) ||
      !within(header.e_phoff, std::uint64_t{header.e_phnum} * sizeof(Elf64_Phdr), file.size())) {
    return bad("an ELF file with a broken table of segments");
  }
  std::vector<Elf64_Phdr> loads;
  for (unsigned i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr segment{};
    std::memcpy(&segment, file.data() + header.e_phoff + i * sizeof segment, sizeof segment);
    if (segment.p_type == PT_DYNAMIC || segment.p_type == PT_INTERP) {
      return fail(ErrorCode::Unsupported, "an ELF file that needs to be linked to run");
    }
    if (segment.p_type == PT_LOAD && segment.p_memsz != 0) {
      loads.push_back(segment);
    }
  }
  if (loads.empty()) {
    return bad("an ELF file without anything to load");
  }
  return loads;
}

Result<void> check_segment(const Elf64_Phdr& segment, std::uint64_t file_size) {
  if (segment.p_filesz > segment.p_memsz) {
    return bad("an ELF file with a segment that is larger in the file than in memory");
  }
  if (!within(segment.p_offset, segment.p_filesz, file_size)) {
    return bad("a truncated ELF file: a segment lies beyond its end");
  }
  if (segment.p_memsz > std::numeric_limits<std::uint64_t>::max() - segment.p_vaddr) {
    return bad("an ELF file with a segment beyond the address space");
  }
  return {};
}

/// `loads` ascend.
Result<void> check_overlap(std::span<const Elf64_Phdr> loads) {
  for (std::size_t i = 1; i < loads.size(); ++i) {
    if (loads[i].p_vaddr < loads[i - 1].p_vaddr + loads[i - 1].p_memsz) {
      return bad("an ELF file with overlapping segments");
    }
  }
  return {};
}

bool executable_at(std::span<const Elf64_Phdr> loads, std::uint64_t address) {
  return std::any_of(loads.begin(), loads.end(), [address](const Elf64_Phdr& segment) {
    return (segment.p_flags & PF_X) != 0 && address >= segment.p_vaddr &&
           address - segment.p_vaddr < segment.p_memsz;
  });
}

}  // namespace

Result<ElfImage> parse_elf(std::span<const std::byte> file) {
  const Elf64_Ehdr header = TRY(header_of(file));
  std::vector<Elf64_Phdr> loads = TRY(loads_of(file, header));
  for (const Elf64_Phdr& segment : loads) {
    TRY(check_segment(segment, file.size()));
  }
  std::sort(loads.begin(), loads.end(),
            [](const Elf64_Phdr& a, const Elf64_Phdr& b) { return a.p_vaddr < b.p_vaddr; });
  TRY(check_overlap(loads));
  ElfImage image;
  image.address = loads.front().p_vaddr;
  image.size = loads.back().p_vaddr + loads.back().p_memsz - image.address;
  image.entry = header.e_entry;
  image.relocatable = header.e_type == ET_DYN;
  if (!is_aligned(image.address, kPageSize)) {
    return bad("an ELF file whose first segment does not begin on a page");
  }
  if (image.size > abi::hyperlight::kMaxMemory) {
    return bad("an ELF file that needs more than 16 GiB");
  }
  if (!executable_at(loads, header.e_entry)) {
    return bad("an ELF file whose entry is outside of its code");
  }
  for (const Elf64_Phdr& segment : loads) {
    image.segments.push_back({segment.p_vaddr - image.address,
                              file.subspan(segment.p_offset, segment.p_filesz),
                              (segment.p_flags & (PF_X | PF_W)) == PF_X});
  }
  return image;
}

void ElfImage::copy_to(std::span<std::byte> memory) const {
  for (const Segment& segment : segments) {
    std::copy(segment.bytes.begin(), segment.bytes.end(),
              memory.subspan(segment.offset, segment.bytes.size()).begin());
  }
}

}  // namespace runhl::vmm::hyperlight
