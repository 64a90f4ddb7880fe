// SPDX-License-Identifier: Apache-2.0
// Messages as bytes and as values (guest/abi/hyperlight/message.fbs). What is decoded was copied
// out of the guest's reach; every offset in it is verified.
//
// A payload is the size-prefixed message, and in G3 behind it the bytes of its byte vectors. It
// begins where a number may begin, as Bytes do.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "runhl/base/result.h"
#include "runhl/vmm/hyperlight/guest.h"

namespace runhl::vmm::hyperlight {

using Bytes = std::vector<std::byte>;
struct Void {
  friend bool operator==(const Void&, const Void&) = default;
};
using Value = std::variant<std::int32_t, std::uint32_t, std::int64_t, std::uint64_t, float, double,
                           std::string, bool, Bytes, Void>;

/// The type of a value as one letter: i u l U f d s b v, and - for none.
char letter_of(const Value& value);

struct Call {
  std::string name;
  std::vector<Value> parameters;
};

struct LogRecord {
  std::string message, source;
  unsigned level = 0;
};

/// What a guest asks the host for. InvalidArgument: not such a message.
Result<Call> decode_call(Generation generation, std::span<const std::byte> payload);
/// The guest's answer to a call of the host's. GuestFault: it failed, with the guest's text.
Result<void> decode_result(Generation generation, std::span<const std::byte> payload);
Result<LogRecord> decode_log(std::span<const std::byte> payload);

Bytes encode_result(Generation generation, const Value& value);
/// A host function failed: the guest gets this text.
Bytes encode_error(std::string_view text);
/// The host calls a function of the guest's that takes texts, or nothing, and returns nothing.
Bytes encode_call(std::string_view name, std::span<const std::string_view> texts = {});

}  // namespace runhl::vmm::hyperlight
