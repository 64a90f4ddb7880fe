// SPDX-License-Identifier: Apache-2.0
#include "hyperlight/host_functions.h"

#include <algorithm>
#include <utility>

namespace runhl::vmm::hyperlight {

void HostFunctions::add(HostFunction function) {
  functions_.push_back(std::move(function));
}

Result<Value> HostFunctions::call(const Call& call) const {
  const auto found =
      std::find_if(functions_.begin(), functions_.end(),
                   [&call](const HostFunction& function) { return function.name == call.name; });
  if (found == functions_.end()) {
    return fail(ErrorCode::NotFound, "no such host function");
  }
  std::string letters;
  for (const Value& value : call.parameters) {
    letters += letter_of(value);
  }
  if (letters != found->parameters) {
    return fail(ErrorCode::InvalidArgument, std::string(found->name) + " takes (" +
                                                std::string(found->parameters) + "), not (" +
                                                letters + ")");
  }
  Value value = TRY(found->run(Arguments(call.parameters)));
  RUNHL_CHECK(letter_of(value) == found->result);
  return value;
}

}  // namespace runhl::vmm::hyperlight
