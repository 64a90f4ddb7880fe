// SPDX-License-Identifier: Apache-2.0
// The options that `create` and `run` share.
#pragma once

#include <string>

#include "options.h"
#include "runhl/shim/lifecycle.h"

namespace runhl {

/// What is not the container's own business.
struct VerbOptions {
  std::string cache;                              ///< of converted archives; empty: the default
  std::string rootfs_size;                        ///< empty: the memory limit
  std::string kernel;                             ///< as GlobalOptions', and before it
  bool no_pivot = false, no_new_keyring = false;  ///< runc's; nothing to act on here
};

/// Declares them on `options`; their targets are in `request` and `verb`.
void declare_create_options(Options& options, shim::CreateRequest* request, VerbOptions* verb);
/// Finds the archive of a root file system in the cache, or has it made.
shim::InitrdProvider initrd_provider(const VerbOptions& verb);
/// What `verb` says of the root file system goes into `request`. Errors: InvalidArgument.
Result<void> apply_rootfs_options(const VerbOptions& verb, shim::CreateRequest* request);

/// A cell around the kernel that is part of this executable.
shim::MachineFactory cell_factory();

}  // namespace runhl
