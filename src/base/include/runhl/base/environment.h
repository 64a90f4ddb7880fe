// SPDX-License-Identifier: Apache-2.0
// The environment of a program, as execve(2) takes it: "KEY=VALUE" each.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace runhl {

/// All of it, where there is no value.
inline std::string_view variable_name(std::string_view entry) {
  return entry.substr(0, entry.find('='));
}

/// The last one of a name counts, at the place of the first.
inline void set_variable(std::vector<std::string>* environment, const std::string& entry) {
  for (std::string& old : *environment) {
    if (variable_name(old) == variable_name(entry)) {
      old = entry;
      return;
    }
  }
  environment->push_back(entry);
}

}  // namespace runhl
