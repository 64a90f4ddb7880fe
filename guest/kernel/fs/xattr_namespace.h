// SPDX-License-Identifier: Apache-2.0
// The namespaces of extended attributes that Linux has (xattr(7)).
#pragma once

#include <string_view>

namespace runhl::kernel {

/// What belongs to none is asked for as the file's bytes are.
constexpr bool in_xattr_namespace(std::string_view name) {
  return name.starts_with("user.") || name.starts_with("trusted.") ||
         name.starts_with("security.") || name.starts_with("system.");
}

}  // namespace runhl::kernel
