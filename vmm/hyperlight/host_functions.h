// SPDX-License-Identifier: Apache-2.0
// What the guest may call, by name: a table, and nothing that is not in it.
//
//   functions.add({"GetTscHz", "", 'U', [](Arguments&) -> Result<Value> { return tsc_hz(); }});
//   Value answer = TRY(functions.call(call));
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "hyperlight/codec.h"
#include "runhl/base/result.h"

namespace runhl::vmm::hyperlight {

/// The parameters of one call, whose types were checked.
class Arguments {
 public:
  explicit Arguments(const std::vector<Value>& values) : values_(values) {}
  [[nodiscard]] std::int32_t integer(std::size_t i) const {
    return std::get<std::int32_t>(values_[i]);
  }
  [[nodiscard]] std::uint64_t ulong(std::size_t i) const {
    return std::get<std::uint64_t>(values_[i]);
  }
  [[nodiscard]] std::int64_t slong(std::size_t i) const {
    return std::get<std::int64_t>(values_[i]);
  }
  [[nodiscard]] const std::string& string(std::size_t i) const {
    return std::get<std::string>(values_[i]);
  }
  [[nodiscard]] const Bytes& bytes(std::size_t i) const { return std::get<Bytes>(values_[i]); }

 private:
  const std::vector<Value>& values_;
};

struct HostFunction {
  std::string_view name;
  std::string_view parameters;  ///< letters of letter_of()
  char result = '-';
  std::function<Result<Value>(const Arguments&)> run;
};

class HostFunctions {
 public:
  void add(HostFunction function);
  /// The guest gets an error's text; the host goes on. NotFound, InvalidArgument: no such function,
  /// or not with these parameters.
  [[nodiscard]] Result<Value> call(const Call& call) const;
  [[nodiscard]] const std::vector<HostFunction>& all() const { return functions_; }

 private:
  std::vector<HostFunction> functions_;
};

}  // namespace runhl::vmm::hyperlight
