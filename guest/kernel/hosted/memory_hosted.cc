// SPDX-License-Identifier: Apache-2.0
// Kernel and user memory of hosted tests: the process's own. A user address is a pointer; 0 and
// what lies in the first page fault.
#include <sys/mman.h>

#include <bit>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <vector>

#include "core/user_memory.h"
#include "mm/heap.h"
#include "mm/page_runs.h"
#include "runhl/core/units.h"

namespace runhl::kernel {

namespace {
bool faults(UserAddress address) {
  return address < kPageSize;
}

/// A word is read and written whole, as futexes need it.
bool is_word(UserAddress address, std::size_t size) {
  return size == sizeof(std::uint32_t) && address % sizeof(std::uint32_t) == 0;
}
}  // namespace

// Page runs come from one sparse range, as in the kernel, since their pages are freed in any
// pieces.
namespace {
constexpr std::size_t kRunPages = std::size_t{1} << 18;  // 1 GiB
struct HostedRuns {
  HostedRuns() {
    void* const range = mmap(nullptr, kRunPages * kPageSize, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (range == MAP_FAILED) {
      std::abort();
    }
    runs = PageRuns(static_cast<std::byte*>(range), map);
  }
  std::mutex lock;
  std::vector<std::uint8_t> map = std::vector<std::uint8_t>(kRunPages);
  PageRuns runs;
};
HostedRuns& hosted_runs() {
  static HostedRuns runs;
  return runs;
}
unsigned order_of(std::size_t size) {
  return static_cast<unsigned>(std::bit_width((size + kPageSize - 1) / kPageSize - 1));
}
}  // namespace

void* heap_allocate(std::size_t size) {
  if (size >= kPageSize) {
    const std::scoped_lock guard(hosted_runs().lock);
    return hosted_runs().runs.allocate(order_of(size));
  }
  return std::aligned_alloc(16, align_up(size == 0 ? 1 : size, 16));
}
void heap_free(void* memory, std::size_t size) {
  if (size < kPageSize) {
    std::free(memory);
  } else if (memory != nullptr) {
    const std::scoped_lock guard(hosted_runs().lock);
    hosted_runs().runs.free(static_cast<std::byte*>(memory), order_of(size));
  }
}
void heap_free_pages(void* first, std::size_t pages) {
  const std::scoped_lock guard(hosted_runs().lock);
  auto* at = static_cast<std::byte*>(first);
  while (pages != 0) {
    const unsigned order = hosted_runs().runs.order_at(at, pages);
    hosted_runs().runs.free(at, order);
    at += kPageSize << order;
    pages -= std::size_t{1} << order;
  }
}
void heap_zero(void* memory, std::size_t size) {
  std::memset(memory, 0, size);
}
void* heap_allocate_zeroed(std::size_t size) {
  void* const memory = heap_allocate(align_up(size, kPageSize));
  if (memory != nullptr) {
    std::memset(memory, 0, size);
  }
  return memory;
}

std::size_t copy_from_user_partial(void* to, UserAddress from, std::size_t size) {
  if (size == 0 || faults(from)) {  // memcpy takes no null, not even for nothing
    return 0;
  }
  if (is_word(from, size)) {
    const std::uint32_t word =
        __atomic_load_n(reinterpret_cast<const std::uint32_t*>(from), __ATOMIC_SEQ_CST);
    std::memcpy(to, &word, size);
    return size;
  }
  std::memcpy(to, reinterpret_cast<const void*>(from), size);
  return size;
}
std::size_t copy_to_user_partial(UserAddress to, const void* from, std::size_t size) {
  if (size == 0 || faults(to)) {
    return 0;
  }
  std::memcpy(reinterpret_cast<void*>(to), from, size);
  return size;
}
Result<void> copy_from_user(void* to, UserAddress from, std::size_t size) {
  if (copy_from_user_partial(to, from, size) != size) {
    return fail(EFAULT);
  }
  return {};
}
Result<void> copy_to_user(UserAddress to, const void* from, std::size_t size) {
  if (copy_to_user_partial(to, from, size) != size) {
    return fail(EFAULT);
  }
  return {};
}
Result<void> clear_user(UserAddress to, std::size_t size) {
  if (faults(to)) {
    return fail(EFAULT);
  }
  std::memset(reinterpret_cast<void*>(to), 0, size);
  return {};
}
Result<std::uint32_t> compare_exchange_user(UserAddress word, std::uint32_t expected,
                                            std::uint32_t desired) {
  if (faults(word)) {
    return fail(EFAULT);
  }
  __atomic_compare_exchange_n(reinterpret_cast<std::uint32_t*>(word), &expected, desired, false,
                              __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
  return expected;
}
Result<std::size_t> copy_string_from_user(std::span<char> to, UserAddress from) {
  if (faults(from)) {
    return fail(EFAULT);
  }
  const char* const text = reinterpret_cast<const char*>(from);
  const std::size_t length = strnlen(text, to.size());
  if (length == to.size()) {
    return fail(ENAMETOOLONG);
  }
  std::memcpy(to.data(), text, length + 1);
  return length;
}

}  // namespace runhl::kernel
