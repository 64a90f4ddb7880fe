// SPDX-License-Identifier: Apache-2.0
// One blob into a repository.
//
//   Upload upload(&session, base, {.mount_from = "owner/base"});
//   const PushEvent::What how = TRY(upload.blob(descriptor, fd));
#pragma once

#include <string>

#include "runhl/registry/push.h"
#include "session.h"

namespace runhl::oci {

struct UploadOptions {
  // NOLINTBEGIN(readability-redundant-member-init): GCC warns of what a designated list leaves out
  std::string mount_from{};
  // NOLINTEND(readability-redundant-member-init)
  std::uint64_t piece_bytes = 0;
};

class Upload {
 public:
  /// `base`: the repository's address.
  Upload(Session* session, std::string base, UploadOptions options)
      : session_(session), base_(std::move(base)), options_(std::move(options)) {}

  Result<bool> is_there(const Descriptor& descriptor);
  /// Done or Mounted. `fd`: all of the blob.
  Result<PushEvent::What> blob(const Descriptor& descriptor, int fd);

 private:
  struct Begun {
    bool mounted = false;
    // NOLINTBEGIN(readability-redundant-member-init): GCC warns of what a designated list leaves
    // out
    std::string location{};
    // NOLINTEND(readability-redundant-member-init)
    std::uint64_t least_piece = 0;  ///< the registry takes no smaller ones
  };
  Result<Begun> begin(const Descriptor& descriptor);
  Result<HttpResponse> put_all(const Begun& begun, const Descriptor& descriptor, int fd);
  Result<HttpResponse> put_pieces(Begun begun, const Descriptor& descriptor, int fd);
  /// How much of it the registry has; moves the location.
  Result<std::uint64_t> received(std::string* location);
  Result<HttpResponse> finish(const std::string& location, const Descriptor& descriptor,
                              std::optional<HttpRequest::FilePart> part);

  Session* session_;
  std::string base_;
  UploadOptions options_;
};

}  // namespace runhl::oci
