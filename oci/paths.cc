// SPDX-License-Identifier: Apache-2.0
// Paths by name only: nothing here looks at a file system.
#include <vector>

#include "convert.h"

namespace runhl::oci {
namespace {

std::vector<std::string_view> steps_of(std::string_view path) {
  std::vector<std::string_view> steps;
  while (!path.empty()) {
    const std::size_t slash = path.find('/');
    const std::string_view step = path.substr(0, slash);
    if (!step.empty()) {
      steps.push_back(step);
    }
    path.remove_prefix(slash == std::string_view::npos ? path.size() : slash + 1);
  }
  return steps;
}

}  // namespace

std::string clean_path(std::string_view path) {
  std::vector<std::string_view> kept;
  for (const std::string_view step : steps_of(path)) {
    if (step == "..") {
      if (!kept.empty()) {
        kept.pop_back();
      }
    } else if (step != ".") {
      kept.push_back(step);
    }
  }
  std::string out;
  for (const std::string_view step : kept) {
    out.append("/").append(step);
  }
  return out.empty() ? "/" : out;
}

std::string resolve_path(std::string_view path, std::string_view base) {
  if (path.starts_with('/')) {
    return clean_path(path);
  }
  return clean_path(std::string(base).append("/").append(path));
}

bool has_dot_dot(std::string_view path) {
  for (const std::string_view step : steps_of(path)) {
    if (step == "..") {
      return true;
    }
  }
  return false;
}

Result<std::string> absolute_path(const Node& node) {
  std::string path = TRY(node.string());
  if (!path.starts_with('/')) {
    return node.refuse("must be an absolute path");
  }
  return path;
}

}  // namespace runhl::oci
