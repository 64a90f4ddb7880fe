// SPDX-License-Identifier: Apache-2.0
// What the words of a mount's `options` mean to us.
//
// Flags are decoded, the last of a pair wins. Words about access times and the like ask nothing
// that a container could miss. A word that asks the kernel to restrict, and that nobody here would
// enforce, is refused: never dropped.
#pragma once

#include "runhl/json/node.h"
#include "runhl/oci/config.h"

namespace runhl::oci {

/// Decodes `options` (the array's items) into `*mount`, whose type and `bind` are set already.
Result<void> decode_mount_options(const std::vector<Node>& options, ConfigMount* mount,
                                  std::vector<std::string>* warnings);

/// Words that decode_mount_options accepts for some type, sorted; without those of the form k=v.
std::vector<std::string_view> accepted_mount_options();

}  // namespace runhl::oci
