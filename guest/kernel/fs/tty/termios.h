// SPDX-License-Identifier: Apache-2.0
// A terminal's settings, in the kernel's own layout (struct termios2).
#pragma once

#include <asm/termbits.h>

namespace runhl::kernel {

using Termios = termios2;

/// What a terminal is set to when nobody has said anything: 38400 baud, echoing, canonical.
Termios default_termios();

}  // namespace runhl::kernel
