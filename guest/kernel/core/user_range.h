// SPDX-License-Identifier: Apache-2.0
// Which addresses a program may name. Its own memory lies below the window; of the window it owns
// the host's vdso, which it may have read for it like anything else: the dynamic loader writes the
// vdso's name from there.
#pragma once

#include "core/user_memory.h"
#include "runhl/abi/layout.h"

namespace runhl::kernel {

/// The end of what may be read at and behind `address`; not behind it: nothing may.
constexpr UserAddress readable_end(UserAddress address) {
  return address - abi::kVdsoArea < abi::kVdsoAreaSize ? abi::kVdsoArea + abi::kVdsoAreaSize
                                                       : abi::kUserEnd;
}

}  // namespace runhl::kernel
