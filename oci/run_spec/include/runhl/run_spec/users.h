// SPDX-License-Identifier: Apache-2.0
// Who "www-data", "1000:users" or "" is in an image.
//
//   const ImageUser user = TRY(find_user("www-data", passwd_text, group_text));
//
// Source: OCI image-spec 1.1, config.md (User); supplementary groups as docker gives them: those
// that name the user, and only where no group was asked for.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "runhl/base/result.h"

namespace runhl::oci {

struct ImageUser {
  std::uint32_t uid = 0, gid = 0;
  std::vector<std::uint32_t> additional_gids{};  // NOLINT(readability-redundant-member-init)
  std::string home = "/";
};

/// Errors: NotFound (a name that the image does not have), InvalidArgument.
Result<ImageUser> find_user(std::string_view wanted, std::string_view passwd,
                            std::string_view group);

}  // namespace runhl::oci
