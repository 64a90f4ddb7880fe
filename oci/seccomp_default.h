// SPDX-License-Identifier: Apache-2.0
// The engines' default seccomp profiles, reduced to what they all allow: facts to compare with.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace runhl::oci {

enum class SeccompOperator : std::uint8_t {
  NotEqual,
  Less,
  LessOrEqual,
  Equal,
  GreaterOrEqual,
  Greater,
  MaskedEqual,  // (argument & value) == value_two
};

struct SeccompCondition {
  std::uint32_t index = 0;
  SeccompOperator op = SeccompOperator::Equal;
  std::uint64_t value = 0, value_two = 0;
  bool operator==(const SeccompCondition&) const = default;
};

/// One way in which a default profile allows a call for some arguments: a rule per condition. A
/// call that appears several times is allowed well enough by any of its ways.
struct ConditionalCall {
  std::string_view name;
  std::span<const SeccompCondition> conditions;
};

std::span<const std::string_view> seccomp_always_allowed();  // sorted
std::span<const ConditionalCall> seccomp_conditionally_allowed();

}  // namespace runhl::oci
