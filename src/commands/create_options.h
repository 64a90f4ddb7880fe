// SPDX-License-Identifier: Apache-2.0
// The options that `create` and `run` share.
#pragma once

#include <string>

#include "options.h"
#include "runhl/shim/lifecycle.h"

namespace runhl {

/// Options of runc that have nothing to act on here.
struct IgnoredCreateOptions {
  bool no_pivot = false, no_new_keyring = false;
};

/// Declares them on `options`; their targets are in `request` and `ignored`.
void declare_create_options(Options& options, shim::CreateRequest* request,
                            IgnoredCreateOptions* ignored);

/// A cell around the kernel that is part of this executable.
shim::MachineFactory cell_factory();

}  // namespace runhl
