// SPDX-License-Identifier: Apache-2.0
// What the program calls itself.
#pragma once

#include <string>
#include <string_view>

namespace runhl {

inline constexpr std::string_view kOciVersion = "1.0.2";  // the runtime-spec that we implement

/// "runhl version X", "commit: …" when known, "spec: …": the shape that engines parse.
std::string version_text();

std::string_view program_version();
std::string_view program_commit();

}  // namespace runhl
