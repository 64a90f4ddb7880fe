// SPDX-License-Identifier: Apache-2.0
// Time stamps of files, compared.
#pragma once

#include "runhl/abi/ring.h"

namespace runhl::kernel {

constexpr bool same_time(const abi::Timestamp& a, const abi::Timestamp& b) {
  return a.seconds == b.seconds && a.nanoseconds == b.nanoseconds;
}

}  // namespace runhl::kernel
