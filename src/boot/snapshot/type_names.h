// SPDX-License-Identifier: Apache-2.0
// Names and numbers of a snapshot's configuration.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace runhl::boot {

inline constexpr std::uint64_t kAbiVersionG2 = 2, kAbiVersionG3 = 6;

struct TypeName {
  char letter;
  std::string_view name;
};
inline constexpr std::array kTypeNames = {TypeName{'i', "int"},       TypeName{'u', "u_int"},
                                          TypeName{'l', "long"},      TypeName{'U', "u_long"},
                                          TypeName{'f', "float"},     TypeName{'d', "double"},
                                          TypeName{'s', "string"},    TypeName{'b', "bool"},
                                          TypeName{'v', "vec_bytes"}, TypeName{'-', "void"}};

constexpr std::string_view type_name(char letter) {
  for (const TypeName& type : kTypeNames) {
    if (type.letter == letter) {
      return type.name;
    }
  }
  return {};
}

/// '\0': none of them.
constexpr char type_letter(std::string_view name) {
  if (name == "byte_chunks") {  // the same bytes, handed to the embedder in another way
    return 'v';
  }
  for (const TypeName& type : kTypeNames) {
    if (type.name == name) {
      return type.letter;
    }
  }
  return '\0';
}

}  // namespace runhl::boot
