// SPDX-License-Identifier: Apache-2.0
// Pages by the richer calls: files that stay mapped, growing and moving, advice, locking; and what
// a change of the file or of another mapping does to them.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "steps.h"

namespace random_calls {
namespace {

void* at_or_beside(Random& random, std::uint32_t page) {
  auto* const at = static_cast<char*>(arena(page));
  return random.one_in(15) ? at + 100 : at;
}

}  // namespace

void step_map_file(Random& random) {
  static const std::array<int, 5> protections{PROT_READ, PROT_READ | PROT_WRITE, PROT_WRITE,
                                              PROT_NONE, PROT_READ | PROT_EXEC};
  static const std::array<int, 6> kinds{MAP_PRIVATE, MAP_SHARED,  MAP_SHARED_VALIDATE,
                                        MAP_SHARED,  MAP_PRIVATE, 0};
  const std::uint32_t page = random.below(kArenaPages), slot = random.below(kFdSlots);
  const std::size_t length =
      random.one_in(20)
          ? 0
          : 1 + random.below(static_cast<std::uint32_t>(kPage * (kArenaPages - page)));
  const int protection = random.of(protections), kind = random.of(kinds);
  const off_t offset = static_cast<off_t>(random.one_in(10) ? 100 : random.below(3) * kPage);
  say("mmap %u %zx %d %d file %u+%ld ", page, length, protection, kind, slot,
      static_cast<long>(offset));
  // What a socket's refusal does to the range is left open.
  struct stat stat{};
  if (::fstat(fd_of(slot), &stat) == 0 && S_ISSOCK(stat.st_mode)) {
    return say("socket");
  }
  result(::mmap(arena(page), length, protection, MAP_FIXED | kind, fd_of(slot), offset) ==
                 MAP_FAILED
             ? -1
             : 0);
  say_arena();
}

void step_pages(Random& random) {
  static const std::array<int, 8> advices{MADV_NORMAL,   MADV_DONTNEED, MADV_WILLNEED, MADV_FREE,
                                          MADV_DONTFORK, MADV_DOFORK,   MADV_REMOVE,   999};
  static const std::array<int, 5> syncs{MS_SYNC, MS_ASYNC, MS_SYNC | MS_ASYNC, MS_INVALIDATE, 64};
  const std::uint32_t page = random.below(kArenaPages), to = random.below(kArenaPages);
  const std::size_t length =
      random.one_in(15)
          ? 0
          : kPage * (1 + random.below(static_cast<std::uint32_t>(kArenaPages - page)));
  void* const at = at_or_beside(random, page);
  const unsigned odd =
      static_cast<unsigned>(static_cast<char*>(at) - static_cast<char*>(arena(page)));
  switch (random.below(9)) {
    case 0: {
      const int advice = random.of(advices);
      // MADV_FREE: whether and when pages go is the kernel's affair.
      const int kept = advice == MADV_FREE ? MADV_DONTNEED : advice;
      say("madvise %u+%u %zx %d ", page, odd, length, kept);
      result(::madvise(at, length, kept));
      break;
    }
    case 1: {
      const int flags = random.of(syncs);
      say("msync %u+%u %zx %d ", page, odd, length, flags);
      result(::msync(at, length, flags));
      break;
    }
    case 2:
      say("mlock %u+%u %zx ", page, odd, length);
      result(random.one_in(2) ? ::mlock(at, length) : ::munlock(at, length));
      break;
    case 3: {
      const std::size_t room = kPage * (1 + random.below(4));
      say("mremap %u+%u %zx %zx -> %u ", page, odd, length, room, to);
      // Only to a place of ours: another is the kernel's choice.
      const int flags = random.one_in(4) ? 0 : MREMAP_MAYMOVE | MREMAP_FIXED;
      if (to + 4 <= kArenaPages) {
        result(::mremap(at, length, room, flags, arena(to)) == MAP_FAILED ? -1 : 0);
      }
      break;
    }
    case 4: {
      const bool fixed = random.one_in(2);
      say("mmap %s %u %zx ", fixed ? "noreplace" : "stack", page, length);
      result(::mmap(at, length, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS |
                        (fixed ? MAP_FIXED_NOREPLACE : MAP_FIXED | MAP_NORESERVE),
                    -1, 0) == MAP_FAILED
                 ? -1
                 : 0);
      break;
    }
    case 5:
      say("mprotect %u+%u %zx ", page, odd, length);
      result(::mprotect(at, length, random.one_in(10) ? 0x40 : static_cast<int>(random.below(4))));
      break;
    case 6: {
      std::array<unsigned char, kArenaPages> seen{};
      say("mincore %u+%u %zx ", page, odd, length);
      result(::mincore(at, length, seen.data()));
      break;
    }
    case 7: {
      // Between two places of our own, as another process would.
      const iovec from{at, random.below(6000)}, into{arena(to), random.below(6000)};
      const bool read = random.one_in(2);
      say("process_vm_%s %u+%u %zu %u %zu ", read ? "readv" : "writev", page, odd, from.iov_len, to,
          into.iov_len);
      result(read ? ::process_vm_readv(::getpid(), &into, 1, &from, 1, 0)
                  : ::process_vm_writev(::getpid(), &into, 1, &from, 1, 0));
      break;
    }
    default:
      say("munmap %u+%u %zx ", page, odd, length);
      result(::munmap(at, length));
  }
  say_arena();
}

/// read and write straight from and into the arena: parts of it are no memory.
void step_transfer(Random& random) {
  const std::uint32_t page = random.below(kArenaPages), slot = random.below(kFdSlots);
  char* const at = static_cast<char*>(arena(page)) + random.below(kPage);
  const std::size_t size = random.below(3 * kPage);
  const bool write = random.one_in(2), offset = random.one_in(2);
  say("%s %u arena %u+%zu %zu", write ? "write" : "read", slot, page,
      static_cast<std::size_t>(at - static_cast<char*>(arena(page))), size);
  const off_t position = random.below(10'000);
  result(write
             ? (offset ? ::pwrite(fd_of(slot), at, size, position) : ::write(fd_of(slot), at, size))
             : (offset ? ::pread(fd_of(slot), at, size, position) : ::read(fd_of(slot), at, size)));
  say(" ");
  say_arena();
}

}  // namespace random_calls
