// SPDX-License-Identifier: Apache-2.0
// The functions that the compiler calls by name. Kernel memory only.
#include <cstddef>
#include <cstdint>

namespace {

/// From here on the string instructions are faster, which take dozens of cycles to begin.
constexpr std::size_t kString = 256;

template <typename T>
T load(const char* from) {
  T value;
  __builtin_memcpy(&value, from, sizeof value);  // of a fixed size: one instruction
  return value;
}
template <typename T>
void store(char* to, T value) {
  __builtin_memcpy(to, &value, sizeof value);
}

/// sizeof(T) <= size <= 2 * sizeof(T), by two words that may overlap.
template <typename T>
void copy_ends(char* to, const char* from, std::size_t size) {
  const T first = load<T>(from);
  const T last = load<T>(from + size - sizeof(T));
  store(to, first);
  store(to + size - sizeof(T), last);
}

template <typename T>
void set_ends(char* to, std::uint64_t pattern, std::size_t size) {
  store(to, static_cast<T>(pattern));
  store(to + size - sizeof(T), static_cast<T>(pattern));
}

}  // namespace

extern "C" {

void* memcpy(void* to, const void* from, std::size_t size) {
  auto* out = static_cast<char*>(to);
  const auto* in = static_cast<const char*>(from);
  if (size > kString) {
    asm volatile("rep movsb" : "+D"(out), "+S"(in), "+c"(size) : : "memory");
  } else if (size > 16) {
    const auto last = load<std::uint64_t>(in + size - 8);
    for (std::size_t at = 0; at + 8 < size; at += 8) {
      store(out + at, load<std::uint64_t>(in + at));
      asm volatile("" : : : "memory");  // keeps the loop from becoming a call of itself
    }
    store(out + size - 8, last);
  } else if (size >= 8) {
    copy_ends<std::uint64_t>(out, in, size);
  } else if (size >= 4) {
    copy_ends<std::uint32_t>(out, in, size);
  } else if (size >= 2) {
    copy_ends<std::uint16_t>(out, in, size);
  } else if (size == 1) {
    *out = *in;
  }
  return to;
}

void* memmove(void* to, const void* from, std::size_t size) {
  const auto target = reinterpret_cast<std::uintptr_t>(to);
  const auto source = reinterpret_cast<std::uintptr_t>(from);
  if (target - source >= size) {
    return memcpy(to, from, size);
  }
  auto* last_to = static_cast<char*>(to) + size - 1;
  const auto* last_from = static_cast<const char*>(from) + size - 1;
  // SAFETY: the direction flag is clear again before anything else runs; signal entries clear it.
  asm volatile("std; rep movsb; cld" : "+D"(last_to), "+S"(last_from), "+c"(size) : : "memory");
  return to;
}

void* memset(void* to, int value, std::size_t size) {
  auto* out = static_cast<char*>(to);
  const std::uint64_t pattern = 0x0101'0101'0101'0101 * static_cast<std::uint8_t>(value);
  if (size > kString) {
    asm volatile("rep stosb" : "+D"(out), "+c"(size) : "a"(value) : "memory");
  } else if (size > 16) {
    for (std::size_t at = 0; at + 8 < size; at += 8) {
      store(out + at, pattern);
      asm volatile("" : : : "memory");
    }
    store(out + size - 8, pattern);
  } else if (size >= 8) {
    set_ends<std::uint64_t>(out, pattern, size);
  } else if (size >= 4) {
    set_ends<std::uint32_t>(out, pattern, size);
  } else if (size >= 2) {
    set_ends<std::uint16_t>(out, pattern, size);
  } else if (size == 1) {
    *out = static_cast<char>(value);
  }
  return to;
}

int memcmp(const void* a, const void* b, std::size_t size) {
  const auto* x = static_cast<const char*>(a);
  const auto* y = static_cast<const char*>(b);
  for (; size >= 8 && load<std::uint64_t>(x) == load<std::uint64_t>(y); size -= 8) {
    x += 8;
    y += 8;
  }
  for (std::size_t i = 0; i < size; ++i) {
    const auto left = static_cast<unsigned char>(x[i]);
    const auto right = static_cast<unsigned char>(y[i]);
    if (left != right) {
      return left < right ? -1 : 1;
    }
  }
  return 0;
}

std::size_t strlen(const char* text) {
  std::size_t length = 0;
  while (text[length] != '\0') {
    asm volatile("");  // keeps the loop from becoming a call of itself
    ++length;
  }
  return length;
}

void* memchr(const void* memory, int value, std::size_t size) {
  auto* bytes = static_cast<unsigned char*>(const_cast<void*>(memory));
  for (std::size_t i = 0; i < size; ++i) {
    if (bytes[i] == static_cast<unsigned char>(value)) {
      return bytes + i;
    }
  }
  return nullptr;
}

}  // extern "C"
