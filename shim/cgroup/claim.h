// SPDX-License-Identifier: Apache-2.0
// Whose a control group is (the protocol is drawn in cgroup.h).
#pragma once

#include <cstdint>
#include <string>

#include "runhl/base/result.h"
#include "runhl/base/sys.h"
#include "runhl/base/unique_fd.h"

namespace runhl::shim {

/// Makes `directory`, whose parents are there, or takes an empty one, and writes down whose it is.
/// The descriptor holds the lock. Errors: InvalidArgument (somebody else has it, or is taking it).
Result<UniqueFd> claim_group(Sys& sys, const std::string& directory, const std::string& owner);

enum class Ownership : std::uint8_t { Ours, Nobodys, Anothers };

struct HeldGroup {
  Ownership ownership = Ownership::Anothers;
  UniqueFd lock;
};

/// Locks a group to remove it; Anothers, without a lock, when it is not there. Waits for at most a
/// second for one who looks at it. Errors: errno EBUSY, when he does not come to an end.
Result<HeldGroup> hold_group(Sys& sys, const std::string& directory, const std::string& owner);

}  // namespace runhl::shim
