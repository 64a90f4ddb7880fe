// SPDX-License-Identifier: Apache-2.0
// How often a system call site has trapped, in tables of a fixed size: entries have the site's
// `call` and its `traps`, which below 0 say that the site was refused, and count up to another try.
#pragma once

#include <cstdint>
#include <span>

#include "core/user_memory.h"

namespace runhl::kernel {

inline constexpr std::int32_t kTryAgain =
    4096;  // traps after a refusal: other code may lie there now

/// The site's entry; a new one in place of the one that knows least. A refusal is worth
/// `threshold`.
template <typename Entry>
Entry& site_entry(std::span<Entry> among, UserAddress call, std::int32_t threshold) {
  const auto known = [threshold](const Entry& entry) {
    return entry.traps < 0 ? threshold : entry.traps;
  };
  Entry* least = &among.front();
  for (Entry& entry : among) {
    if (entry.call == call) {
      return entry;
    }
    if (known(entry) < known(*least)) {
      least = &entry;
    }
  }
  *least = {.call = call};
  return *least;
}

}  // namespace runhl::kernel
