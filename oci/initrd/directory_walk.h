// SPDX-License-Identifier: Apache-2.0
// Visits everything beneath a directory in the order of an archive, without following symlinks or
// crossing mount points.
#pragma once

#include <sys/stat.h>

#include <functional>
#include <string>

#include "runhl/base/result.h"

namespace runhl::initrd {

struct Visit {
  const std::string& path;  // "" for the directory itself
  int parent;               // descriptor of the directory it is in; the root: of itself
  const char* name;         // in `parent`; "" for the root
  const struct statx& info;
  bool mount_point;  // something is mounted there, and `info` is about that
};
using Visitor = std::function<Result<void>(const Visit&)>;

/// What disappears before it is looked at was never there. Errors of the visitor end the walk.
Result<void> walk_directory(int root, const Visitor& visitor);

}  // namespace runhl::initrd
