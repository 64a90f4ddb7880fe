// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "boot/boot_options.h"
#include "runhl/base/result.h"

namespace runhl::boot {

/// Boots, waits, and returns the exit code: the program's; 127 where there is none, 126 where the
/// kernel cannot load it; 128 + n where it died of signal n, be it that the kernel gave up with it.
Result<int> boot(BootOptions options);

}  // namespace runhl::boot
