// SPDX-License-Identifier: Apache-2.0
// What a person calls an image, with docker's defaults.
//
//   busybox                       docker.io/library/busybox:latest
//   team/app:1.2                  docker.io/team/app:1.2
//   localhost/app                 localhost/app:latest
//   [::1]:5000/app@sha256:…       by content; a tag beside the digest is kept and not looked at
//
//   const Reference image = TRY(Reference::parse(argument));
//
// Source: distribution/reference (grammar and normalisation).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "runhl/base/result.h"
#include "runhl/reference/digest.h"

namespace runhl::oci {

struct Reference {
  std::string domain;      ///< "docker.io", "localhost:5000", "[::1]:5000"
  std::string repository;  ///< "library/busybox"
  std::string tag;         ///< empty only beside a digest
  std::optional<Digest> digest;

  /// Errors: InvalidArgument, one line that quotes the reference.
  static Result<Reference> parse(std::string_view text);

  /// With everything spelled out; parses to the same.
  [[nodiscard]] std::string text() const;
  /// Without tag and digest.
  [[nodiscard]] std::string name() const { return domain + "/" + repository; }
  /// The tag or digest by which a registry finds it.
  [[nodiscard]] std::string selector() const { return digest ? digest->text() : tag; }
  friend bool operator==(const Reference&, const Reference&) = default;
};

/// Whether a registry is this machine: spoken to without TLS.
bool is_this_machine(std::string_view domain);

/// A registry as `login` takes it: HOST[:PORT], or an address of which the rest says nothing.
Result<std::string> parse_domain(std::string_view text);

}  // namespace runhl::oci
