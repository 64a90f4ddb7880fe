// SPDX-License-Identifier: Apache-2.0
// Names of the specification that stand for numbers of Linux.
#pragma once

#include <optional>
#include <span>
#include <string_view>

namespace runhl::oci {

std::optional<int> capability_number(std::string_view name);  // "CAP_CHOWN" -> 0
std::span<const std::string_view> capability_names();         // by number
std::optional<int> rlimit_number(std::string_view name);      // "RLIMIT_NOFILE" -> 7

}  // namespace runhl::oci
