// SPDX-License-Identifier: Apache-2.0
#include "mm/shared_memory.h"

#include <algorithm>
#include <bit>
#include <new>

#include "mm/heap.h"
#include "runhl/abi/layout.h"

namespace runhl::kernel {
namespace {

constexpr std::uint64_t kLargestRun = 64 * kMiB / kPageSize;

/// The run that page `page` belongs to.
struct Place {
  std::uint64_t first_page, page_count;
};
constexpr Place place_of(std::uint64_t page) {
  if (page == 0) {
    return {0, 1};
  }
  const std::uint64_t count = std::min(std::bit_floor(page), kLargestRun);
  return {page / count * count, count};
}
static_assert(place_of(1).first_page == 1 && place_of(1).page_count == 1);
static_assert(place_of(7).first_page == 4 && place_of(7).page_count == 4);
static_assert(place_of(3 * kLargestRun + 5).first_page == 3 * kLargestRun);

}  // namespace

Result<Ref<SharedMemory>> SharedMemory::create(std::uint64_t size_bytes) {
  auto* object = new (std::nothrow) SharedMemory(size_bytes);
  if (object == nullptr) {
    return fail(ENOMEM);
  }
  return Ref<SharedMemory>(object);
}

SharedMemory::~SharedMemory() {
  runs_.clear_and_dispose([](Run* run) {
    heap_free(run->memory, run->page_count * kPageSize);
    delete run;
  });
}

Result<SharedMemory::Run*> SharedMemory::run_for(std::uint64_t page) {
  const Place place = place_of(page);
  const auto at = runs_.find(place.first_page, ByPage{});
  if (at != runs_.end()) {
    return &*at;
  }
  Owned<Run> run = TRY(make<Run>());
  run->first_page = place.first_page;
  run->page_count = place.page_count;
  run->memory = static_cast<std::byte*>(heap_allocate_zeroed(place.page_count * kPageSize));
  if (run->memory == nullptr) {
    return fail(ENOMEM);
  }
  runs_.insert(*run);
  return run.release();  // the set's now
}

Result<aspace::Backing> SharedMemory::backing(std::uint64_t offset, std::uint64_t length,
                                              MapUse /*use*/) {
  const std::uint64_t end = align_up(size_, kPageSize);
  if (offset >= end) {
    return aspace::Backing{.kind = aspace::Backing::Kind::BeyondEnd, .length = length};
  }
  const Mutex::Guard guard(lock_);
  const Run* const run = TRY(run_for(offset / kPageSize));
  const std::uint64_t in_run = offset - run->first_page * kPageSize;
  // SAFETY: heap memory lies in the kernel memfd, so its address names the place in the file.
  const auto address = reinterpret_cast<std::uint64_t>(run->memory) + in_run;
  return aspace::Backing{
      .kind = aspace::Backing::Kind::KernelMemory,
      .offset = abi::memfd_offset(address),
      .length = std::min({length, run->page_count * kPageSize - in_run, end - offset})};
}

Result<void> SharedMemory::remove_range(std::uint64_t offset, std::uint64_t length) {
  const Mutex::Guard guard(lock_);
  for (const Run& run : runs_) {
    const std::uint64_t start = run.first_page * kPageSize;
    const std::uint64_t from = std::max(offset, start);
    const std::uint64_t to = std::min(offset + length, start + run.page_count * kPageSize);
    if (from < to) {
      heap_zero(run.memory + (from - start), to - from);
    }
  }
  return {};
}

}  // namespace runhl::kernel
