// SPDX-License-Identifier: Apache-2.0
#include "core/random.h"

#include <algorithm>
#include <cstring>

#include "sched/locks.h"

namespace runhl::kernel {

namespace {

struct Generator {
  SpinLock lock{LockRank::Allocator};
  ChaChaKey key{};  // guarded by lock
};
constinit Generator g_random;

/// Fast key erasure: a block's first half is the next key, so what was given out cannot be
/// computed from what is left in memory. The second half keys the caller's own stream.
ChaChaKey fork_key() {
  const SpinLock::Guard guard(g_random.lock);
  const auto block = chacha20_block(g_random.key, 0, {});
  ChaChaKey out{};
  std::copy_n(block.begin(), 8, g_random.key.begin());
  std::copy_n(block.begin() + 8, 8, out.begin());
  return out;
}

}  // namespace

void random_seed(const std::array<std::uint8_t, 32>& seed) {
  const SpinLock::Guard guard(g_random.lock);
  ChaChaKey fresh{};
  std::memcpy(fresh.data(), seed.data(), seed.size());
  for (unsigned i = 0; i < fresh.size(); ++i) {
    g_random.key[i] ^= fresh[i];  // an old key is not thrown away by a seed
  }
}

void random_bytes(std::span<std::byte> out) {
  const ChaChaKey key = fork_key();
  for (std::uint32_t counter = 0; !out.empty(); ++counter) {
    const auto block = chacha20_block(key, counter, {});
    const std::size_t length = std::min(out.size(), sizeof(block));
    std::memcpy(out.data(), block.data(), length);
    out = out.subspan(length);
  }
}

std::uint64_t random_u64() {
  std::uint64_t value = 0;
  random_bytes(std::as_writable_bytes(std::span(&value, 1)));
  return value;
}

}  // namespace runhl::kernel
