// SPDX-License-Identifier: Apache-2.0
// Words for errors that the user of the runtime sees, spelled as Go's syscall package spells them
// (engines look for these phrases).
#pragma once

#include <initializer_list>
#include <string_view>

#include "proc/exec.h"

namespace runhl::kernel {

std::string_view error_text(int error);

/// Puts the parts one behind the other into failure.message, cut at its end.
void set_failure(BootFailure& failure, std::initializer_list<std::string_view> parts);

}  // namespace runhl::kernel
