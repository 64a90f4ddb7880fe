// SPDX-License-Identifier: Apache-2.0
#include "arch/x86_64/carrier_slots.h"

#include <array>
#include <atomic>

#include "arch/x86_64/boot.h"
#include "runhl/abi/layout.h"

namespace runhl::kernel {

namespace {

constexpr std::size_t kWordBits = 64;
constexpr std::size_t kWords = abi::kCarrierSlotCount / kWordBits;
static_assert(abi::kCarrierSlotCount % kWordBits == 0);
constexpr std::size_t kUnclaimed = 64;

struct CarrierSlots {
  std::array<std::atomic<std::uint64_t>, kWords> used{(1ULL << kCell0Slot) | (1ULL << kCell1Slot)};
  std::atomic<std::uint32_t> high_water{kCell1Slot + 1};  // no pid from here on
  // Reaped before they were published: a process can be killed in its first instruction.
  std::array<std::atomic<std::int32_t>, kUnclaimed> unclaimed{};
};
constinit CarrierSlots g_slots;
// Apart, because it begins as zeroes: memory that nobody has to fill, and most of it never used.
constinit std::array<std::atomic<std::int32_t>, abi::kCarrierSlotCount> g_pids{};  // 0: none

void raise_high_water(std::uint32_t count) {
  std::uint32_t seen = g_slots.high_water.load();
  while (seen < count && !g_slots.high_water.compare_exchange_weak(seen, count)) {
  }
}

std::uint32_t find(std::int32_t pid) {
  const std::uint32_t count = g_slots.high_water.load();
  for (std::uint32_t index = 0; index < count; ++index) {
    if (g_pids[index].load() == pid) {
      return index;
    }
  }
  return kNoCarrierSlot;
}

bool take_unclaimed(std::int32_t pid) {
  for (auto& entry : g_slots.unclaimed) {
    std::int32_t expected = pid;
    if (entry.compare_exchange_strong(expected, 0)) {
      return true;
    }
  }
  return false;
}

}  // namespace

std::uint32_t slots_high_water() {
  return g_slots.high_water.load();
}

Result<std::uint32_t> slot_take() {
  for (std::size_t word = 0; word < kWords; ++word) {
    std::uint64_t used = g_slots.used[word].load();
    while (used != ~0ULL) {
      const std::uint64_t bit = ~used & (used + 1);
      if (g_slots.used[word].compare_exchange_weak(used, used | bit)) {
        return static_cast<std::uint32_t>(word * kWordBits) +
               static_cast<std::uint32_t>(__builtin_ctzll(bit));
      }
    }
  }
  return fail(EAGAIN);
}

void slot_give(std::uint32_t index) {
  g_pids[index].store(0);
  g_slots.used[index / kWordBits].fetch_and(~(1ULL << index % kWordBits));
}

bool slot_publish(std::uint32_t index, std::int32_t pid) {
  raise_high_water(index + 1);
  g_pids[index].store(pid);
  // Whoever comes second of this and slot_of_reaped sees the other's store.
  if (!take_unclaimed(pid)) {
    return true;
  }
  slot_give(index);
  return false;
}

std::uint32_t slot_of_reaped(std::int32_t pid) {
  const std::uint32_t index = find(pid);
  if (index != kNoCarrierSlot) {
    return index;
  }
  for (auto& entry : g_slots.unclaimed) {
    std::int32_t expected = 0;
    if (!entry.compare_exchange_strong(expected, pid)) {
      continue;
    }
    const std::uint32_t again = find(pid);
    return again != kNoCarrierSlot && take_unclaimed(pid) ? again : kNoCarrierSlot;
  }
  return kNoCarrierSlot;
}

}  // namespace runhl::kernel
