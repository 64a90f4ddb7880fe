// SPDX-License-Identifier: Apache-2.0
// A string on the kernel heap. Made by copy(), moved, never copied behind the caller's back.
#pragma once

#include <cstring>
#include <span>
#include <string_view>
#include <utility>

#include "core/result.h"
#include "mm/heap.h"

namespace runhl::kernel {

class Text {
 public:
  Text() = default;
  Text(Text&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  Text& operator=(Text&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  Text(const Text&) = delete;
  Text& operator=(const Text&) = delete;
  ~Text() {
    if (data_ != nullptr) {
      heap_free(data_, size_);
    }
  }

  static Result<Text> copy(std::string_view text) { return join(text, {}); }
  static Result<Text> join(std::string_view first, std::string_view second) {
    Text result;
    if (first.size() + second.size() == 0) {
      return result;
    }
    result.data_ = static_cast<char*>(heap_allocate(first.size() + second.size()));
    if (result.data_ == nullptr) {
      return fail(ENOMEM);
    }
    result.size_ = first.size() + second.size();
    if (!first.empty()) {
      std::memcpy(result.data_, first.data(), first.size());
    }
    if (!second.empty()) {
      std::memcpy(result.data_ + first.size(), second.data(), second.size());
    }
    return result;
  }

  /// `provide(span)` provides at most `size` characters and returns how many.
  template <typename F>
  static Result<Text> read(std::size_t size, F&& provide) {
    Text room;
    room.data_ = static_cast<char*>(heap_allocate(size));
    if (room.data_ == nullptr) {
      return fail(ENOMEM);
    }
    room.size_ = size;
    const std::size_t got = TRY(provide(std::span<char>(room.data_, size)));
    return copy({room.data_, got});
  }

  [[nodiscard]] std::string_view view() const { return {data_, size_}; }

 private:
  char* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace runhl::kernel
