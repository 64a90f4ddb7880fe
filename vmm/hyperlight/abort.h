// SPDX-License-Identifier: Apache-2.0
// The guest's last words: a code and a text, a few bytes an OUT to port 102.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace runhl::vmm::hyperlight {

struct Abort {
  unsigned code = 0;
  std::string text;  ///< "Exception: PageFault | …"; may be empty
};

class AbortMessage {
 public:
  /// The message, once it is whole.
  std::optional<Abort> add(std::uint32_t value);

 private:
  [[nodiscard]] Abort whole() const;
  std::string bytes_;
};

}  // namespace runhl::vmm::hyperlight
