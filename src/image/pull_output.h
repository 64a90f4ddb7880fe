// SPDX-License-Identifier: Apache-2.0
// What `pull` and `kernel pull` say of how far they are: bars on a terminal, else a line for each
// layer, or JSON.
#pragma once

#include <functional>
#include <string>

#include "options.h"
#include "runhl/registry/pull.h"

namespace runhl::image {

struct PullOutput {
  bool quiet = false, json = false;
};
void declare_pull_output(Options& options, PullOutput* output);

struct Pulled {
  std::string name, digest;
};
/// Calls `pull` with options that tell of what happens, then prints what came.
Result<void> pull_and_print(const PullOutput& output, oci::PullOptions options,
                            const std::function<Result<Pulled>(const oci::PullOptions&)>& pull);

}  // namespace runhl::image
