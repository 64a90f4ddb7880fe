// SPDX-License-Identifier: Apache-2.0
#include "runhl/oci/status.h"

#include <array>
#include <cstddef>

namespace runhl::oci {
namespace {

constexpr std::array<std::string_view, 5> kNames = {"creating", "created", "running", "paused",
                                                    "stopped"};

}  // namespace

std::string_view to_string(Status status) {
  return kNames.at(static_cast<std::size_t>(status));
}

std::optional<Status> parse_status(std::string_view text) {
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (kNames.at(i) == text) {
      return static_cast<Status>(i);
    }
  }
  return std::nullopt;
}

}  // namespace runhl::oci
