// SPDX-License-Identifier: Apache-2.0
// Whether a store still holds what came into it.
#pragma once

#include <string>
#include <vector>

#include "runhl/store/store.h"

namespace runhl::oci {

/// Reads everything that the image is made of; one line for each part that is not what it was.
std::vector<std::string> verify_image(const Store& store, const NamedImage& image);

}  // namespace runhl::oci
