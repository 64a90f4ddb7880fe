// SPDX-License-Identifier: Apache-2.0
// The way to runhl-image, the part of the product that a container's start does not carry.
#pragma once

#include <string>
#include <vector>

#include "runhl/base/result.h"

namespace runhl {

/// Becomes runhl-image with these arguments: `runhl convert` is it. Returns only when it cannot.
Error exec_image_helper(std::vector<std::string> args);
/// Runs it and waits. Its last line of error becomes ours.
Result<void> run_image_helper(std::vector<std::string> args);

}  // namespace runhl
