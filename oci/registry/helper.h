// SPDX-License-Identifier: Apache-2.0
// A credential helper: a program of the user's that is asked on its standard input.
#pragma once

#include <optional>
#include <string>

#include "credentials.h"

namespace runhl::oci {

/// None: it has nothing for this registry. Errors: Permission (it cannot be run, or is ended after
/// ten seconds without an answer): nothing that another try would mend.
Result<std::optional<Credentials>> ask_helper(const std::string& name, const std::string& domain);

/// It keeps these. Errors: Permission, also with what it says itself.
Result<void> tell_helper(const std::string& name, const std::string& domain,
                         const Credentials& credentials);
/// It forgets; that it knows nothing of the registry is no error.
Result<void> erase_in_helper(const std::string& name, const std::string& domain);

}  // namespace runhl::oci
