// SPDX-License-Identifier: Apache-2.0
// TRY: the value of a Result, or an early return with its error. Host and guest use the same one.
//
//   Result<int> twice(std::string_view text) {
//     const int value = TRY(parse_int(text));   // returns parse_int's error to our caller
//     return 2 * value;
//   }
#pragma once

#include <tl/expected.hpp>
#include <utility>

namespace runhl {

template <typename T, typename E>
constexpr T take_value(tl::expected<T, E>&& result) {
  return *std::move(result);
}

template <typename E>
constexpr void take_value(tl::expected<void, E>&&) {}

}  // namespace runhl

#define RUNHL_CAT_IMPL(a, b) a##b
#define RUNHL_CAT(a, b) RUNHL_CAT_IMPL(a, b)

#define RUNHL_TRY_IMPL(r, ...)                                   \
  __extension__({                                                \
    auto r = (__VA_ARGS__);                                      \
    if (!r.has_value()) [[unlikely]] {                           \
      return tl::unexpected(std::move(r).error());               \
    }                                                            \
    ::runhl::take_value(std::move(r)); /* overloaded for void */ \
  })
#define TRY(...) RUNHL_TRY_IMPL(RUNHL_CAT(try_result_, __COUNTER__), __VA_ARGS__)
