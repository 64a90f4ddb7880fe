// SPDX-License-Identifier: Apache-2.0
// Which guest a container gets: one on our kernel, in a cell, or one on an upstream kernel, which
// is named by --kernel or by the annotation dev.runhl.kernel.
//
// An annotation may be the container's own user's. It names a kernel of the store, which whoever
// may write there has chosen, and nothing else: no path, and nothing is pulled for it. --isolation
// says how far such a kernel may be executed: `cell` refuses it, `vm` lets it have no software CPU.
#pragma once

#include <string>

#include "boot/boot_file.h"
#include "commands.h"
#include "commands/create_options.h"
#include "runhl/shim/lifecycle.h"

namespace runhl {

/// InvalidArgument: no isolation's name.
Result<void> check_isolation_word(const std::string& isolation);

/// `kernels`: where they come from; only what --kernel names is pulled. The first two arguments
/// outlive it.
shim::GuestChooser guest_chooser(const GlobalOptions& globals, const VerbOptions& verb,
                                 boot::BootFileOptions kernels);

}  // namespace runhl
