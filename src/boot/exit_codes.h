// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace runhl::boot {

/// As a shell: no such program, none that can be loaded, died of a signal; and the rest.
inline constexpr int kNotFound = 127, kNotLoadable = 126, kSignalled = 128, kFailed = 1;

}  // namespace runhl::boot
