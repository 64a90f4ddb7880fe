// SPDX-License-Identifier: Apache-2.0
// Runs that begin where a kernel has booted, each the first of its guest: --repeat, --restore.
// --save ends where they begin.
//
//   this process        opened everything; runs no guest, reads nothing that one wrote but the
//     │                 numbers of its snapshot, and only copies those
//     ├─ child          jail, boot, snapshot into memory that was made before; not with --restore
//     ├─ child          restore, jail, resume, start, wait        first run
//     ├─ child          the same                                  second run
//     …
//
// A child for each, because the jail has no way out and no way to start another CPU: what a run
// opened or became ends with it.
#pragma once

#include "boot/boot_options.h"
#include "boot/report.h"
#include "boot/setup.h"
#include "runhl/base/result.h"

namespace runhl::boot {

/// Boots, and leaves a snapshot on disk.
Result<int> save_snapshot(const BootOptions& options, Setup* setup, Clock::time_point start);

/// The exit code of the last run, or of the first that did not come to an end.
Result<int> run_from_snapshot(const BootOptions& options, Setup* setup, Clock::time_point start);

}  // namespace runhl::boot
