// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "runhl/json/node.h"

namespace runhl::oci {

/// Holds the whole document against the ledger. Error: the first property whose row is Refused and
/// that asks for something; also a name that differs from a known one by case alone, since runc
/// would obey it. Other unknown names go to `*warnings`: runtimes ignore them.
Result<void> walk_ledger(const Node& document, std::vector<std::string>* warnings);

}  // namespace runhl::oci
