// SPDX-License-Identifier: Apache-2.0
// A config.json out of an image's configuration and what a person asks for: what `docker run` would
// start. The text goes the way of every config.json: load_config.h judges it.
//
//   const RunSpec spec = TRY(make_run_spec(image.config, wishes, user));
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "runhl/base/result.h"
#include "runhl/image/documents.h"
#include "runhl/run_spec/users.h"

namespace runhl::oci {

enum class RunNetwork : std::uint8_t { None, Host };

/// A directory or file of the host.
struct RunVolume {
  std::string source, destination;
  bool read_only = false;
};

struct RunWishes {
  std::string image;                      ///< its name, for an annotation
  std::vector<std::string> args;          ///< instead of the image's Cmd; empty: that
  std::optional<std::string> entrypoint;  ///< instead of the image's, and of its Cmd; "": none
  std::vector<std::string> env;           ///< NAME=VALUE, over the image's
  std::string working_dir, hostname;      ///< empty: the image's; the container's id
  std::vector<RunVolume> volumes;
  bool read_only = false;
  std::optional<std::int64_t> memory_bytes;
  std::optional<double> cpus;
  RunNetwork network = RunNetwork::None;
  bool rootless = false;
  std::string cgroups_path;  ///< empty: none is made
};

/// Errors: InvalidArgument (no command, or none of the host's).
Result<std::string> make_run_spec(const ImageConfig& image, const RunWishes& wishes,
                                  const ImageUser& user);

/// "SOURCE:DESTINATION[:ro|:rw]". Errors: InvalidArgument; Unsupported (other options, volumes by
/// name).
Result<RunVolume> parse_volume(const std::string& text);

/// NAME=VALUE lines; empty ones and such with # in front say nothing, and a NAME alone is taken
/// from `environment`.
std::vector<std::string> parse_env_file(std::string_view text,
                                        const std::vector<std::string>& environment);
/// One of -e, or none where it names what the environment does not have.
std::optional<std::string> parse_env(const std::string& text,
                                     const std::vector<std::string>& environment);

}  // namespace runhl::oci
