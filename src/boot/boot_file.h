// SPDX-License-Identifier: Apache-2.0
// Kernel and root file system of `runhl boot`: files of the host, or of the store, which
// `runhl kernel pull` and `runhl pull --rootfs` fill.
#pragma once

#include <cstdint>
#include <string>

#include "runhl/base/result.h"
#include "runhl/base/unique_fd.h"
#include "runhl/store/artifacts.h"

namespace runhl::boot {

struct BootFile {
  UniqueFd fd;
  std::uint64_t size = 0;
};

struct BootFileOptions {
  std::string store;         ///< its directory; empty: the default
  bool pull_missing = true;  ///< what names a registry and is not in the store
};

/// `text` is a path, where it begins with / or . or is a file from here; else a name of the store.
/// Errors: NotFound, one line that says what was looked for.
Result<BootFile> open_boot_file(oci::ArtifactKind kind, const std::string& text,
                                const BootFileOptions& options);
/// One of the store, whatever `text` looks like. Errors: NotFound, as above.
Result<BootFile> open_stored_file(oci::ArtifactKind kind, const std::string& text,
                                  const BootFileOptions& options);

}  // namespace runhl::boot
