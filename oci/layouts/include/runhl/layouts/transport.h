// SPDX-License-Identifier: Apache-2.0
// Where an image lies as files, as people write it: oci:DIR[:REF], docker-archive:FILE.
//
//   const Transport from = TRY(Transport::parse("oci:/tmp/layout:busybox:latest"));
#pragma once

#include <string>
#include <string_view>

#include "runhl/base/result.h"

namespace runhl::oci {

struct Transport {
  enum class Kind : std::uint8_t { OciLayout, DockerArchive };

  Kind kind = Kind::OciLayout;
  std::string path;
  std::string ref;  // of a layout: which of its images; empty: the only one

  /// Errors: InvalidArgument.
  static Result<Transport> parse(std::string_view text);
};

}  // namespace runhl::oci
