// SPDX-License-Identifier: Apache-2.0
#include "fs/pseudo/text_writer.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "mm/heap.h"

namespace runhl::kernel {
namespace {

constexpr std::size_t kFirstCapacity = 512;
constexpr std::string_view kBlanks = " \t\n";

struct Digits {
  std::array<char, 24> text;
  std::size_t first = text.size();

  [[nodiscard]] std::string_view view() const { return {text.data() + first, text.size() - first}; }
};

Digits digits_of(std::uint64_t value, std::uint32_t base) {
  Digits digits;
  do {
    digits.text[--digits.first] = "0123456789abcdef"[value % base];
    value /= base;
  } while (value != 0);
  return digits;
}

int digit_value(char c) {
  if (c >= '0' && c <= '9') {
    return c - '0';
  }
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : 16;
}

std::uint64_t take_base(std::string_view& text) {
  if (text.size() > 2 && text[0] == '0' && (text[1] | 0x20) == 'x') {
    text.remove_prefix(2);
    return 16;
  }
  return text.size() > 1 && text[0] == '0' ? 8 : 10;
}

}  // namespace

TextWriter::~TextWriter() {
  if (data_ != nullptr) {
    heap_free(data_, capacity_);
  }
}

bool TextWriter::reserve(std::size_t more) {
  if (capacity_ - size_ >= more) {
    return true;
  }
  std::size_t wanted = std::max(capacity_ * 2, kFirstCapacity);
  while (wanted - size_ < more) {
    wanted *= 2;
  }
  auto* const grown = static_cast<char*>(heap_allocate(wanted));
  if (grown == nullptr) {
    failed_ = true;
    return false;
  }
  if (data_ != nullptr) {
    std::memcpy(grown, data_, size_);
    heap_free(data_, capacity_);
  }
  data_ = grown;
  capacity_ = wanted;
  return true;
}

void TextWriter::put(std::string_view text) {
  if (!text.empty() && reserve(text.size())) {
    std::memcpy(data_ + size_, text.data(), text.size());
    size_ += text.size();
  }
}

void TextWriter::fill(char c, std::size_t count) {
  if (count != 0 && reserve(count)) {
    std::memset(data_ + size_, c, count);
    size_ += count;
  }
}

void TextWriter::put(const Hex& number) {
  const Digits digits = digits_of(number.value, 16);
  fill('0', number.width - std::min<std::size_t>(number.width, digits.view().size()));
  put(digits.view());
}

void TextWriter::put(const Octal& number) {
  put(digits_of(number.value, 8).view());
}

void TextWriter::put(const Decimal& number) {
  const Digits digits = digits_of(number.value, 10);
  fill(' ', number.width - std::min<std::size_t>(number.width, digits.view().size()));
  put(digits.view());
}

void TextWriter::put(const Hundredths& number) {
  const std::uint64_t rest = number.value % 100;
  add(number.value / 100, rest < 10 ? ".0" : ".", rest);
}

void TextWriter::put(const Padded& padded) {
  put(padded.text);
  fill(' ', padded.width - std::min<std::size_t>(padded.width, padded.text.size()));
}

void TextWriter::put_signed(std::int64_t number) {
  if (number < 0) {
    put('-');
    put(Decimal{.value = 0 - static_cast<std::uint64_t>(number)});
  } else {
    put(Decimal{.value = static_cast<std::uint64_t>(number)});
  }
}

void TextWriter::add_escaped(std::string_view text, std::string_view special) {
  for (const char c : text) {
    if (special.find(c) == std::string_view::npos) {
      put(c);
      continue;
    }
    const auto code = static_cast<unsigned char>(c);
    add('\\', static_cast<char>('0' + (code >> 6)), static_cast<char>('0' + (code >> 3 & 7)),
        static_cast<char>('0' + (code & 7)));
  }
}

Result<std::uint32_t> parse_index(std::string_view text) {
  constexpr std::size_t kMostDigits = 9;
  if (text.empty() || text.size() > kMostDigits || (text[0] == '0' && text.size() > 1)) {
    return fail(EINVAL);
  }
  std::uint32_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') {
      return fail(EINVAL);
    }
    value = value * 10 + static_cast<std::uint32_t>(c - '0');
  }
  return value;
}

Result<std::int64_t> take_number(std::string_view& text) {
  text.remove_prefix(std::min(text.find_first_not_of(kBlanks), text.size()));
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) {
    text.remove_prefix(1);
  }
  const auto base = static_cast<std::int64_t>(take_base(text));
  std::int64_t value = 0;
  std::size_t used = 0;
  while (used < text.size() && digit_value(text[used]) < base) {
    if (__builtin_mul_overflow(value, base, &value) ||
        __builtin_add_overflow(value, digit_value(text[used]), &value)) {
      return fail(EINVAL);
    }
    ++used;
  }
  if (used == 0 || (used < text.size() && kBlanks.find(text[used]) == std::string_view::npos &&
                    text[used] != '\0')) {
    return fail(EINVAL);
  }
  text.remove_prefix(used);
  return negative ? -value : value;
}

}  // namespace runhl::kernel
