// SPDX-License-Identifier: Apache-2.0
// Writing to such a file (credentials.h): for its owner alone, as a whole or not at all, and with
// everything else that is in it left as it is.
//
//   TRY(edit_credential_file(path, [&](std::string text) { return with_entry(text, key, who); }));
#pragma once

#include <functional>
#include <string>

#include "credentials.h"

namespace runhl::oci {

enum class Kept : std::uint8_t { Here, InHelper };
/// `config` with these credentials for the registry that the file calls `key`. Where a helper has
/// them, the file says only that there are some.
Result<std::string> with_entry(const std::string& config, const std::string& key,
                               const Credentials& credentials, Kept kept);
/// `config` without any of `keys`.
Result<std::string> without_entries(const std::string& config,
                                    const std::vector<std::string>& keys);

/// One editor at a time; the file is made where it is missing. Errors: of `edit`, of the host.
using Edit = std::function<Result<std::string>(const std::string& text)>;
Result<void> edit_credential_file(const std::string& path, const Edit& edit);

}  // namespace runhl::oci
