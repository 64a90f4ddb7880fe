// SPDX-License-Identifier: Apache-2.0
// The kernel's command line: which program, with which arguments.
//
//   const std::string line = TRY(make_command_line({}, "/bin/hello", {"one", "two three"}));
//   // unikraft-hyperlight vfs.fstab=[] -- /bin/hello one "two three"
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "runhl/base/result.h"
#include "runhl/vmm/hyperlight/host_mount.h"

namespace runhl::vmm::hyperlight {

/// `entry` may be empty: the kernel boots without a program. InvalidArgument: what the kernel's
/// tokenizer cannot carry (an empty argument, too much of it).
Result<std::string> make_command_line(std::span<const HostMount> mounts, std::string_view entry,
                                      std::span<const std::string> args);

/// G1's: the arguments alone, of a program that the kernel knows. InvalidArgument: as above.
Result<std::string> make_argument_line(std::span<const std::string> args);

}  // namespace runhl::vmm::hyperlight
