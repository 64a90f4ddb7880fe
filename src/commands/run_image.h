// SPDX-License-Identifier: Apache-2.0
// `runhl run IMAGE [COMMAND…]`: docker's most used options, on an image of the store.
#pragma once

#include <string>
#include <vector>

#include "commands.h"
#include "commands/create_options.h"
#include "options.h"
#include "step_times.h"

namespace runhl {

struct ImageRunOptions {
  std::string name, working_dir, user, memory, cpus, hostname, network, store, pull;
  std::vector<std::string> env, env_files, volumes, entrypoint;
  bool interactive = false, terminal = false, remove = false, read_only = false, timings = false;

  /// Whether one was given that only images have.
  [[nodiscard]] bool any() const;
};

void declare_image_options(Options& options, ImageRunOptions* image);

/// Fills in the container that `reference` and `command` ask for. The archive that it runs from is
/// in the request's provider.
Result<void> prepare_image_run(const std::string& reference, Arguments command,
                               const ImageRunOptions& image, const VerbOptions& verb,
                               StepTimes* times, shim::CreateRequest* request);

}  // namespace runhl
