// SPDX-License-Identifier: Apache-2.0
// A G1 guest's snapshot on disk, a file (hls_format.h). What comes from one is hostile, and each of
// its bytes is checked: by one of two digests, or as one of the zeros that fill it up.
//
//   TRY(write_hls("/var/snap.hls", config, memory_fd));
//   StoredSnapshot stored = TRY(read_hls("/var/snap.hls"));
#pragma once

#include <string>

#include "boot/snapshot/config.h"
#include "boot/snapshot/directory.h"
#include "runhl/base/result.h"

namespace runhl::boot {

/// `path` must not be there. It appears whole or not at all; for its owner alone. Pages of zeros
/// are holes.
Result<void> write_hls(const std::string& path, const SnapshotConfig& config, int memory_fd);

/// Its origin is not told. InvalidArgument: not a snapshot, or not as it was written. Unsupported:
/// of another format.
Result<StoredSnapshot> read_hls(const std::string& path);

}  // namespace runhl::boot
