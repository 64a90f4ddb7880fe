// SPDX-License-Identifier: Apache-2.0
// aspace.h in a cell: the host pages, so every operation is one host call on the calling cell.
#include <linux/mman.h>

#include "arch/x86_64/host_syscall.h"
#include "mm/aspace.h"

namespace runhl::kernel::aspace {

namespace {

Result<void> checked(std::int64_t result) {
  if (result < 0 && result >= -4095) {
    return fail(static_cast<int>(-result));
  }
  return {};
}

// The strict filter ends a cell that asks for anything else.
constexpr std::uint32_t kAllProtection = kRead | kWrite | kExecute;
constexpr bool is_allowed(int advice) {
  return advice == MADV_DONTNEED || advice == MADV_FREE || advice == MADV_HUGEPAGE ||
         advice == MADV_NOHUGEPAGE || advice == MADV_POPULATE_READ || advice == MADV_POPULATE_WRITE;
}

struct Source {
  int fd;
  std::uint64_t offset;
};
/// Behind the end of every kernel memory: access there is SIGBUS.
constexpr std::uint64_t kBeyondMemory = std::uint64_t{1} << 46;

Source source_of(const Backing& backing) {
  switch (backing.kind) {
    case Backing::Kind::KernelMemory:
      return {.fd = abi::kFdKernelMemory, .offset = backing.offset};
    case Backing::Kind::Initrd:
      return {.fd = abi::kFdInitrd, .offset = backing.offset};
    case Backing::Kind::BeyondEnd:
      return {.fd = abi::kFdKernelMemory, .offset = kBeyondMemory};
    default:
      return {.fd = backing.slot, .offset = backing.offset};
  }
}

}  // namespace

Result<void> map_anon(std::uint64_t address, std::uint64_t length, std::uint32_t protection) {
  return checked(host::mmap(address, length, protection & kAllProtection,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0));
}

Result<void> map_file(std::uint64_t address, std::uint64_t length, std::uint32_t protection,
                      const Backing& backing, Sharing sharing) {
  if (backing.kind == Backing::Kind::Zero) {
    return map_anon(address, length, protection);
  }
  const Source source = source_of(backing);
  const std::uint32_t flags =
      sharing == Sharing::Shared ? MAP_SHARED | MAP_FIXED : MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE;
  return checked(
      host::mmap(address, length, protection & kAllProtection, flags, source.fd, source.offset));
}

Result<void> unmap(std::uint64_t address, std::uint64_t length) {
  return checked(host::munmap(address, length));
}

Result<void> protect(std::uint64_t address, std::uint64_t length, std::uint32_t protection) {
  return checked(host::mprotect(address, length, protection & kAllProtection));
}

Result<void> move(std::uint64_t from, std::uint64_t from_length, std::uint64_t to,
                  std::uint64_t to_length) {
  return checked(host::mremap(from, from_length, to, to_length));
}

Result<void> discard(std::uint64_t address, std::uint64_t length) {
  return checked(host::madvise(address, length, MADV_DONTNEED));
}

Result<void> advise(std::uint64_t address, std::uint64_t length, int advice) {
  if (!is_allowed(advice)) {
    return fail(EINVAL);
  }
  return checked(host::madvise(address, length, advice));
}

Result<void> resident(std::uint64_t address, std::span<std::byte> pages) {
  return checked(host::mincore(address, pages.size() * kPageSize, pages.data()));
}

}  // namespace runhl::kernel::aspace
