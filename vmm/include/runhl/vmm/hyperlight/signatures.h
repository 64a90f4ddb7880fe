// SPDX-License-Identifier: Apache-2.0
// The host functions that there are for a guest, by name and types: what a snapshot says its guest
// relies on.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "runhl/base/result.h"
#include "runhl/vmm/hyperlight/guest.h"

namespace runhl::vmm::hyperlight {

/// Beside what every guest has.
struct Granted {
  bool files = false, network = false, host_calls = false;
};

struct Signature {
  std::string name;
  std::string parameters;  ///< a letter each: i u l U f d s b v, the integers by size, then float,
                           ///< double, string, bool, bytes
  char result = '-';       ///< one of these, or - for none
  friend bool operator==(const Signature&, const Signature&) = default;
};

std::vector<Signature> host_function_signatures(Generation generation, Granted granted);

/// As a G1 snapshot has them: guest/abi/hyperlight/snapshot.fbs.
std::string encode_signatures(std::span<const Signature> functions);
/// InvalidArgument: not such bytes.
Result<std::vector<Signature>> decode_signatures(std::string_view bytes);

/// What a G1 guest asks for through `__dispatch`, sorted. `echo`: as --enable-tools grants it.
std::vector<std::string> tool_names(Granted granted, bool echo);

}  // namespace runhl::vmm::hyperlight
