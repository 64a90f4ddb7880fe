// SPDX-License-Identifier: Apache-2.0
// A snapshot on disk: an OCI image layout, as upstream's host writes it. What comes from one is
// hostile, and each of its bytes is checked: blobs by their digests, the two files that no digest
// covers by what may be in them.
//
//   DIR/oci-layout               what it is
//   DIR/index.json ──► manifest ──► configuration    the numbers
//                         │   └──► memory            pages, page tables; pages of zeros are holes
//                         └──────► transport         the rings of a G3 guest
//
//   TRY(write_snapshot("/var/snap", config, memory_fd, origin));
//   StoredSnapshot stored = TRY(read_snapshot("/var/snap"));
#pragma once

#include <cstdint>
#include <string>

#include "boot/snapshot/config.h"
#include "runhl/base/result.h"
#include "runhl/base/unique_fd.h"

namespace runhl::boot {

/// What a snapshot is of, and where it can go on; texts are compared as they are.
struct SnapshotOrigin {
  std::string key;           ///< "k<16 digits of the kernel's digest>-c<contract>", upstream's
  std::string kernel;        ///< all digits of its SHA-256; empty: not told (upstream's)
  std::string cpu;           ///< what the guest saw of its CPU; empty: not told
  std::uint64_t tsc_hz = 0;  ///< 0: not told
};

struct StoredSnapshot {
  SnapshotConfig config;
  SnapshotOrigin origin;
  UniqueFd memory;  ///< a copy that nobody writes to any more
};

/// `directory` must not be there. It appears whole or not at all; for its owner alone.
Result<void> write_snapshot(const std::string& directory, const SnapshotConfig& config,
                            int memory_fd, const SnapshotOrigin& origin);

/// InvalidArgument: not a snapshot, or not as it was written. Unsupported: of another format.
Result<StoredSnapshot> read_snapshot(const std::string& directory);

}  // namespace runhl::boot
