// SPDX-License-Identifier: Apache-2.0
// The document's sections into the plain structs of config.h, one file a section. Each function is
// given the whole document and fills its part of `*config`; values that are legal and not given are
// refused by their pointer, harmless ones are noted in config->warnings.
#pragma once

#include <string>
#include <string_view>

#include "runhl/json/node.h"
#include "runhl/oci/config.h"

namespace runhl::oci {

Result<void> convert_process(const Node& document, Config* config);
Result<void> convert_root(const Node& document, std::string_view bundle_path, Config* config);
Result<void> convert_mounts(const Node& document, std::string_view bundle_path, Config* config);
Result<void> convert_hooks(const Node& document, Config* config);
Result<void> convert_linux(const Node& document, Config* config);      // namespaces, maps, paths
Result<void> convert_resources(const Node& document, Config* config);  // linux.resources
/// Names of AppArmor profiles and SELinux labels; seccomp.
Result<void> check_security(const Node& document, Config* config);
/// Types of the properties that hold without being read.
Result<void> check_unread(const Node& document);

/// uid, gid: all but 4294967295, which the kernel takes for "no id".
Result<std::uint32_t> read_id(const Node& node);

/// `path` with ".", ".." and repeated slashes resolved by name; `path` must be absolute.
std::string clean_path(std::string_view path);
/// `path` resolved by name against `base` (absolute).
std::string resolve_path(std::string_view path, std::string_view base);
bool has_dot_dot(std::string_view path);

/// The value as a string; must be an absolute path.
Result<std::string> absolute_path(const Node& node);

}  // namespace runhl::oci
