// SPDX-License-Identifier: Apache-2.0
// Which descriptors a monitor lives with.
#pragma once

#include <span>

#include "runhl/base/result.h"
#include "runhl/vmm/machine.h"

namespace runhl::shim {

/// Takes descriptors 0, 1 and 2 as the container's streams (unchanged; a closed one is none), puts
/// `null_device` (/dev/null, read and write) in their place and closes every other descriptor of
/// the process that is not in `keep`: engines leak theirs into the runtime, and a pipe held here
/// would block them.
Result<vmm::Stdio> take_streams(std::span<const int> keep, UniqueFd null_device);

}  // namespace runhl::shim
