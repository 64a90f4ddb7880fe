// SPDX-License-Identifier: Apache-2.0
// The kernel's random generator: ChaCha20 with fast key erasure, seeded by the monitor.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace runhl::kernel {

/// Called once at boot (and after a restore) with fresh bytes of the host.
void random_seed(const std::array<std::uint8_t, 32>& seed);
void random_bytes(std::span<std::byte> out);
std::uint64_t random_u64();

/// One ChaCha20 block (RFC 8439, 2.3): 64 bytes of key stream.
using ChaChaKey = std::array<std::uint32_t, 8>;
std::array<std::uint32_t, 16> chacha20_block(const ChaChaKey& key, std::uint32_t counter,
                                             const std::array<std::uint32_t, 3>& nonce);

}  // namespace runhl::kernel
