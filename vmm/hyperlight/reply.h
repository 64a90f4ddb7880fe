// SPDX-License-Identifier: Apache-2.0
// A reply in bytes: numbers and texts one after the other, without padding, as host functions that
// return a byte vector give it. Most begin with a status.
#pragma once

#include <array>
#include <cstring>
#include <span>
#include <string_view>
#include <utility>

#include "hyperlight/codec.h"

namespace runhl::vmm::hyperlight {

class Reply {
 public:
  explicit Reply(std::int32_t status) { add(status); }
  template <typename T>
  Reply& add(T value) {
    std::array<std::byte, sizeof value> bytes{};
    std::memcpy(bytes.data(), &value, sizeof value);
    return add_bytes(bytes);
  }
  Reply& add_text(std::string_view text) { return add_bytes(std::as_bytes(std::span(text))); }
  Reply& add_bytes(std::span<const std::byte> bytes) {
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
    return *this;
  }
  Bytes take() { return std::move(bytes_); }

 private:
  Bytes bytes_;
};

}  // namespace runhl::vmm::hyperlight
