// SPDX-License-Identifier: Apache-2.0
#include "proc/elf_loader.h"

#include <elf.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstring>

#include "mm/address_space.h"
#include "runhl/abi/layout.h"

namespace runhl::kernel {
namespace {

constexpr std::uint64_t kMaxInterpreterPath = 4096;
constexpr std::uint64_t kMaxFileEnd = ~std::uint64_t{0} >> 1 & ~(kPageSize - 1);
constexpr std::uint64_t kMaxAlignment = 1 * kGiB;
constexpr std::size_t kMaxHeaderBytes = 64 * kKiB;  // of program headers, as Linux

Result<Elf64_Ehdr> read_header(std::span<const std::byte> bytes) {
  Elf64_Ehdr header;
  if (bytes.size() < sizeof header) {
    return fail(ENOEXEC);
  }
  std::memcpy(&header, bytes.data(), sizeof header);
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64 ||
      header.e_ident[EI_DATA] != ELFDATA2LSB || header.e_machine != EM_X86_64 ||
      (header.e_type != ET_EXEC && header.e_type != ET_DYN) ||
      header.e_phentsize != sizeof(Elf64_Phdr) || header.e_phnum == 0 ||
      header.e_phnum * sizeof(Elf64_Phdr) > kMaxHeaderBytes) {
    return fail(ENOEXEC);
  }
  return header;
}

/// start + size; ENOEXEC on overflow or beyond `limit`.
Result<std::uint64_t> checked_end(std::uint64_t start, std::uint64_t size, std::uint64_t limit) {
  std::uint64_t end = 0;
  if (__builtin_add_overflow(start, size, &end) || end > limit) {
    return fail(ENOEXEC);
  }
  return end;
}

std::uint32_t protection_of(std::uint32_t flags) {
  return ((flags & PF_R) != 0 ? std::uint32_t{PROT_READ} : 0U) |
         ((flags & PF_W) != 0 ? std::uint32_t{PROT_WRITE} : 0U) |
         ((flags & PF_X) != 0 ? std::uint32_t{PROT_EXEC} : 0U);
}

/// ENOEXEC: it cannot be loaded.
Result<void> add_segment(const Elf64_Phdr& header, std::uint64_t file_size, ElfPlan& plan) {
  if (header.p_memsz == 0) {
    return {};
  }
  if (plan.segment_count == ElfPlan::kMaxSegments || header.p_filesz > header.p_memsz ||
      (header.p_vaddr - header.p_offset) % kPageSize != 0) {
    return fail(ENOEXEC);
  }
  TRY(checked_end(header.p_vaddr, header.p_memsz, abi::kUserEnd - kPageSize));
  TRY(checked_end(header.p_offset, header.p_filesz, kMaxFileEnd));
  if (!plan.position_independent && header.p_vaddr < abi::kUserBase) {
    return fail(ENOEXEC);
  }
  const ElfSegment* const before =
      plan.segment_count != 0 ? &plan.segments[plan.segment_count - 1] : nullptr;
  plan.odd |= header.p_offset + header.p_filesz > file_size ||
              (before != nullptr && header.p_vaddr < before->address + before->memory_size);
  if (header.p_align > kPageSize && header.p_align <= kMaxAlignment &&
      (header.p_align & (header.p_align - 1)) == 0) {
    plan.alignment = std::max(plan.alignment, header.p_align);
  }
  plan.segments[plan.segment_count++] = {.address = header.p_vaddr,
                                         .memory_size = header.p_memsz,
                                         .offset = header.p_offset,
                                         .file_size = header.p_filesz,
                                         .protection = protection_of(header.p_flags)};
  return {};
}

Result<void> add_header(const Elf64_Phdr& header, std::uint64_t file_size, ElfPlan& plan) {
  switch (header.p_type) {
    case PT_LOAD:
      plan.broken |= !add_segment(header, file_size, plan);
      return {};
    case PT_INTERP:
      if (plan.interpreter_size != 0) {
        return {};  // the first one counts
      }
      if (header.p_filesz < 2 || header.p_filesz > kMaxInterpreterPath) {
        return fail(ENOEXEC);
      }
      if (!checked_end(header.p_offset, header.p_filesz, file_size)) {
        return fail(EIO);
      }
      plan.interpreter_offset = header.p_offset;
      plan.interpreter_size = header.p_filesz;
      return {};
    case PT_GNU_STACK:
      plan.executable_stack = (header.p_flags & PF_X) != 0;
      return {};
    default:
      return {};
  }
}

/// Where a segment shows the program headers.
std::uint64_t find_headers(const ElfPlan& plan, std::uint64_t offset) {
  for (std::size_t i = 0; i < plan.segment_count; ++i) {
    const ElfSegment& segment = plan.segments[i];
    if (offset >= segment.offset && offset - segment.offset < segment.file_size) {
      return segment.address + (offset - segment.offset);
    }
  }
  return 0;
}

}  // namespace

std::uint64_t ElfPlan::lowest() const {
  std::uint64_t lowest = segments[0].address;
  for (std::size_t i = 1; i < segment_count; ++i) {
    lowest = std::min(lowest, segments[i].address);
  }
  return align_down(lowest, kPageSize);
}

std::uint64_t ElfPlan::highest() const {
  std::uint64_t highest = 0;
  for (std::size_t i = 0; i < segment_count; ++i) {
    highest = std::max(highest, segments[i].address + segments[i].memory_size);
  }
  return align_up(highest, kPageSize);
}

Result<std::size_t> elf_header_size(std::span<const std::byte> first_bytes) {
  const Elf64_Ehdr header = TRY(read_header(first_bytes));
  return TRY(checked_end(header.e_phoff, header.e_phnum * sizeof(Elf64_Phdr), 16 * kMiB));
}

Result<void> parse_elf(std::span<const std::byte> header_bytes, std::uint64_t file_size,
                       ElfPlan& plan) {
  const Elf64_Ehdr header = TRY(read_header(header_bytes));
  TRY(checked_end(header.e_phoff, header.e_phnum * sizeof(Elf64_Phdr), header_bytes.size()));
  plan = ElfPlan{};
  plan.position_independent = header.e_type == ET_DYN;
  plan.alignment = kPageSize;
  plan.entry = header.e_entry;
  plan.header_count = header.e_phnum;
  for (std::uint16_t i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr program_header;
    std::memcpy(&program_header, header_bytes.data() + header.e_phoff + i * sizeof program_header,
                sizeof program_header);
    TRY(add_header(program_header, file_size, plan));
  }
  plan.broken |= plan.segment_count == 0 || plan.entry >= abi::kUserEnd;
  plan.headers_address = find_headers(plan, header.e_phoff);
  return {};
}

namespace {

/// Zeroes what follows the file's bytes in their last page, and maps the pages behind it.
Result<void> map_bss(AddressSpace& mm, const ElfSegment& segment, UserAddress base) {
  const UserAddress file_end = base + segment.address + segment.file_size;
  const UserAddress memory_end = base + segment.address + segment.memory_size;
  const UserAddress first_page =
      segment.file_size == 0 ? align_down(file_end, kPageSize) : align_up(file_end, kPageSize);
  if ((segment.protection & PROT_WRITE) != 0 && segment.file_size != 0 && first_page > file_end) {
    TRY(clear_user(file_end, first_page - file_end));
  }
  if (align_up(memory_end, kPageSize) <= first_page) {
    return {};
  }
  MapRequest request;
  request.address = first_page;
  request.length = memory_end - first_page;
  request.protection = segment.protection;
  request.flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
  TRY(mm.map(request));
  return {};
}

Result<void> map_segment(AddressSpace& mm, const ElfSegment& segment, const Ref<File>& file,
                         UserAddress base) {
  if (segment.file_size != 0) {
    const std::uint64_t in_page = segment.address % kPageSize;
    MapRequest request;
    request.address = base + segment.address - in_page;
    request.length = segment.file_size + in_page;
    request.protection = segment.protection;
    request.flags = MAP_PRIVATE | MAP_FIXED;
    request.object = file;
    request.offset = segment.offset - in_page;
    TRY(mm.map(request));
  }
  if (segment.memory_size > segment.file_size) {
    TRY(map_bss(mm, segment, base));
  }
  return {};
}

}  // namespace

Result<LoadedElf> load_elf(AddressSpace& mm, const ElfPlan& plan, const Ref<File>& file,
                           UserAddress base) {
  for (std::size_t i = 0; i < plan.segment_count; ++i) {
    TRY(map_segment(mm, plan.segments[i], file, base));
  }
  return LoadedElf{
      .base = base,
      .entry = base + plan.entry,
      .headers = plan.headers_address == 0 ? 0 : base + plan.headers_address,
      .end = base + plan.highest(),
  };
}

}  // namespace runhl::kernel
