// SPDX-License-Identifier: Apache-2.0
// A parsed JSON document of bounded depth and size, for the border only: it never leaves oci/.
//
//   const Value document = TRY(parse_json(text));
//   const Value* process = document.member("process");
//
// Refused, each in one line: bytes that are no JSON (with their position), invalid UTF-8, a NUL
// character in any string, a key that an object has twice, more than kMaxDepth levels.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "runhl/base/result.h"

namespace runhl::oci {

inline constexpr std::size_t kMaxJsonDepth = 64;        // a real config.json nests seven deep
inline constexpr std::size_t kMaxJsonValues = 250'000;  // bounds the memory of a hostile one

struct Value {
  enum class Kind : std::uint8_t { Null, Boolean, Integer, Unsigned, Float, String, Array, Object };

  Kind kind = Kind::Null;
  bool boolean = false;
  std::int64_t integer = 0;            // Kind::Integer: negative
  std::uint64_t unsigned_integer = 0;  // Kind::Unsigned
  std::string key;                     // of a member of an object
  std::string text;                    // Kind::String
  std::vector<Value> children;         // items or members, in the document's order

  /// The member called `name`; null when there is none, or when it is JSON's null: engines write
  /// null for what they leave out.
  [[nodiscard]] const Value* member(std::string_view name) const;
};

Result<Value> parse_json(std::string_view text);

/// `text` fit for one line of a message: no control characters, not long.
std::string printable(std::string_view text);

/// `key` as one step of a JSON pointer (RFC 6901), printable.
std::string pointer_step(std::string_view key);

}  // namespace runhl::oci
