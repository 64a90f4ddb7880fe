// SPDX-License-Identifier: Apache-2.0
#include <bit>

#include "core/random.h"

namespace runhl::kernel {

namespace {

using State = std::array<std::uint32_t, 16>;

void quarter_round(State& s, unsigned a, unsigned b, unsigned c, unsigned d) {
  s[a] += s[b];
  s[d] = std::rotl(s[d] ^ s[a], 16);
  s[c] += s[d];
  s[b] = std::rotl(s[b] ^ s[c], 12);
  s[a] += s[b];
  s[d] = std::rotl(s[d] ^ s[a], 8);
  s[c] += s[d];
  s[b] = std::rotl(s[b] ^ s[c], 7);
}

}  // namespace

std::array<std::uint32_t, 16> chacha20_block(const ChaChaKey& key, std::uint32_t counter,
                                             const std::array<std::uint32_t, 3>& nonce) {
  // RFC 8439, 2.3: constants, key, counter, nonce.
  const State start{0x61707865, 0x3320646e, 0x79622d32, 0x6b206574, key[0], key[1],
                    key[2],     key[3],     key[4],     key[5],     key[6], key[7],
                    counter,    nonce[0],   nonce[1],   nonce[2]};
  State s = start;
  for (int round = 0; round < 10; ++round) {
    quarter_round(s, 0, 4, 8, 12);
    quarter_round(s, 1, 5, 9, 13);
    quarter_round(s, 2, 6, 10, 14);
    quarter_round(s, 3, 7, 11, 15);
    quarter_round(s, 0, 5, 10, 15);
    quarter_round(s, 1, 6, 11, 12);
    quarter_round(s, 2, 7, 8, 13);
    quarter_round(s, 3, 4, 9, 14);
  }
  for (unsigned i = 0; i < s.size(); ++i) {
    s[i] += start[i];
  }
  return s;
}

}  // namespace runhl::kernel
