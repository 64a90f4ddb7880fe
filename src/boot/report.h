// SPDX-License-Identifier: Apache-2.0
// The lines about a guest that callers see on stderr, and the code it ends with.
#pragma once

#include <chrono>

#include "boot/boot_options.h"
#include "boot/isolation.h"
#include "runhl/base/result.h"
#include "runhl/vmm/hyperlight/guest.h"

namespace runhl::boot {

using Clock = std::chrono::steady_clock;
double milliseconds_since(Clock::time_point start);

/// As upstream's program, with the generation and what isolates.
void print_banner(const BootOptions& options, const Executor& executor,
                  vmm::hyperlight::Generation generation);

/// The program's status, or the error's meaning for callers that look at the exit code alone.
Result<int> exit_code(const vmm::hyperlight::Guest& guest, const Result<int>& status);

}  // namespace runhl::boot
