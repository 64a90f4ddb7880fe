// SPDX-License-Identifier: Apache-2.0
// What a passwd file says: HOME, where config.json gives none, comes from the container's own, as
// with runc; an owner's name from the host's.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace runhl::shim {

/// The home directory of `uid` in the text of a passwd file, "/" when there is none.
std::string home_in_passwd(std::string_view passwd, std::uint32_t uid);

/// The name of `uid`, empty when there is none.
std::string name_in_passwd(std::string_view passwd, std::uint32_t uid);

/// Adds HOME to `env` unless it has one. The rootfs is the container's: its symlinks stay inside,
/// a file that cannot be read within bounds counts as empty.
void add_home(const std::string& rootfs, std::uint32_t uid, std::vector<std::string>* env);

}  // namespace runhl::shim
