// SPDX-License-Identifier: Apache-2.0
// A bundle's config.json, read and judged: what comes out is understood and can be given, or the
// one-line error names the JSON pointer and what to do about it.
//
//   const oci::Config config = TRY(oci::load_config(bundle.get(), "/run/bundles/c1"));
//   for (const std::string& warning : config.warnings) log_warn("{}", warning);
//
// Errors: NotFound and Io (the file), InvalidArgument (a value is wrong), Unsupported (understood,
// and not given by this runtime). Every property's fate is a row of ledger.h.
#pragma once

#include <cstdint>
#include <string_view>

#include "runhl/oci/config.h"

namespace runhl::oci {

inline constexpr std::uint64_t kMaxConfigBytes = 32ULL << 20;

/// Reads config.json beneath `bundle_dir_fd` (a symlink is followed, as runc does; anything but a
/// regular file of at most kMaxConfigBytes is refused). `bundle_path` is the bundle's absolute
/// path: relative paths of the document are resolved against it, by name only.
Result<Config> load_config(int bundle_dir_fd, std::string_view bundle_path);

Result<Config> parse_config(std::string_view text, std::string_view bundle_path);

}  // namespace runhl::oci
