// SPDX-License-Identifier: Apache-2.0
// The way to the parts of the product that a container's start does not carry: programs in libexec.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "runhl/base/result.h"

namespace runhl {

/// Where `program` lies, seen from this one: runhl, or one of libexec itself. NotFound: not
/// installed.
Result<std::string> libexec_path(std::string_view program);

/// Becomes `program` with these arguments. Returns only when it cannot.
Error exec_helper(std::string_view program, std::vector<std::string> args);
/// Becomes runhl-image with these arguments: `runhl convert` is it. Returns only when it cannot.
Error exec_image_helper(std::vector<std::string> args);
/// What becomes of what it prints. Shown: its output is on our standard error as it comes, what it
/// has there itself follows where all went well.
enum class HelperOutput : std::uint8_t { Dropped, Shown };
/// Runs it and waits. Its last line of error becomes ours.
Result<void> run_image_helper(std::vector<std::string> args,
                              HelperOutput output = HelperOutput::Dropped);

}  // namespace runhl
