// SPDX-License-Identifier: Apache-2.0
// All bytes of a file, to somewhere.
#pragma once

#include <string>

#include "runhl/base/result.h"

namespace runhl::oci {

/// To a file, within the host's kernel where it can.
Result<void> copy_file(int from, int to, const std::string& what);

}  // namespace runhl::oci
