// SPDX-License-Identifier: Apache-2.0
// RFC 4648, section 4, with padding: how bytes travel in JSON.
#pragma once

#include <string>
#include <string_view>

#include "runhl/base/result.h"

namespace runhl::vmm::hyperlight {

std::string to_base64(std::string_view bytes);
/// InvalidArgument: in the words of upstream's decoder: "Invalid symbol 42, offset 0.".
Result<std::string> from_base64(std::string_view text);

}  // namespace runhl::vmm::hyperlight
