// SPDX-License-Identifier: Apache-2.0
#include "size_text.h"

#include <charconv>
#include <string>

namespace runhl {

Result<std::uint64_t> parse_size(std::string_view text) {
  const auto refuse = [text] {
    return fail(ErrorCode::InvalidArgument, "\"" + std::string(text) + "\" is no size");
  };
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{}) {
    return refuse();
  }
  std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  if (!unit.empty() && (unit.back() == 'b' || unit.back() == 'B')) {
    unit.remove_suffix(1);
  }
  if (unit.empty()) {
    return number;
  }
  constexpr std::string_view kUnits = "kmgtKMGT";
  const std::size_t at = kUnits.find(unit);
  if (unit.size() != 1 || at == std::string_view::npos) {
    return refuse();
  }
  const unsigned shift = 10 * (static_cast<unsigned>(at % 4) + 1);
  if (number > UINT64_MAX >> shift) {
    return refuse();
  }
  return number << shift;
}

}  // namespace runhl
