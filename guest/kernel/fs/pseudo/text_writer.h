// SPDX-License-Identifier: Apache-2.0
// Text that grows: what generated files are written with.
//
//   TextWriter out;
//   out.add("Pid:\t", process.pid, '\n', Hex{.value = flags, .width = 16}, '\n');
//   if (out.failed()) { ... }                                   // ENOMEM
#pragma once

#include <concepts>
#include <cstdint>
#include <span>
#include <string_view>

#include "core/result.h"

namespace runhl::kernel {

struct Hex {
  std::uint64_t value = 0;
  std::uint32_t width = 0;  // filled with zeros
};
struct Octal {
  std::uint64_t value = 0;
};
struct Decimal {
  std::uint64_t value = 0;
  std::uint32_t width = 0;  // filled with blanks on the left
};
/// `value` hundredths: "12.05".
struct Hundredths {
  std::uint64_t value = 0;
};
struct Padded {
  std::string_view text;
  std::uint32_t width = 0;  // filled with blanks on the right
};

class TextWriter {
 public:
  TextWriter() = default;
  TextWriter(const TextWriter&) = delete;
  TextWriter& operator=(const TextWriter&) = delete;
  ~TextWriter();

  template <typename... Parts>
  TextWriter& add(const Parts&... parts) {
    (put(parts), ...);
    return *this;
  }
  /// As Linux's seq_escape: blanks and backslashes of a path as octal.
  void add_escaped(std::string_view text, std::string_view special);
  void clear() { size_ = 0; }

  [[nodiscard]] std::string_view view() const { return {data_, size_}; }
  /// Memory ran out: the text is not complete.
  [[nodiscard]] bool failed() const { return failed_; }

 private:
  void put(std::string_view text);
  void put(char c) { put(std::string_view(&c, 1)); }
  void put(const Hex& number);
  void put(const Octal& number);
  void put(const Decimal& number);
  void put(const Hundredths& number);
  void put(const Padded& padded);
  template <std::integral T>
  void put(T number) {
    if constexpr (std::is_signed_v<T>) {
      put_signed(number);
    } else {
      put(Decimal{.value = number});
    }
  }
  void put_signed(std::int64_t number);
  void fill(char c, std::size_t count);
  bool reserve(std::size_t more);

  char* data_ = nullptr;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
  bool failed_ = false;
};

/// A decimal number that stands alone, as names in /proc do: no sign, no leading zero. EINVAL.
Result<std::uint32_t> parse_index(std::string_view text);
/// A number as a program writes it into a file of the kernel: blanks around it, a sign, 0x or 0 in
/// front. Takes it off `text`. EINVAL.
Result<std::int64_t> take_number(std::string_view& text);

}  // namespace runhl::kernel
