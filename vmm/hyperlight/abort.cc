// SPDX-License-Identifier: Apache-2.0
#include "hyperlight/abort.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "runhl/abi/hyperlight.h"

namespace runhl::vmm::hyperlight {
namespace {

constexpr std::size_t kMost = 1024;

constexpr std::array<std::string_view, 21> kExceptions = {"DivideByZero",
                                                          "Debug",
                                                          "NonMaskableInterrupt",
                                                          "Breakpoint",
                                                          "Overflow",
                                                          "BoundRangeExceeded",
                                                          "InvalidOpcode",
                                                          "DeviceNotAvailable",
                                                          "DoubleFault",
                                                          "CoprocessorSegmentOverrun",
                                                          "InvalidTSS",
                                                          "SegmentNotPresent",
                                                          "StackSegmentFault",
                                                          "GeneralProtectionFault",
                                                          "PageFault",
                                                          "Reserved",
                                                          "X87FloatingPointException",
                                                          "AlignmentCheck",
                                                          "MachineCheck",
                                                          "SIMDFloatingPointException",
                                                          "VirtualizationException"};

}  // namespace

Abort AbortMessage::whole() const {
  Abort abort;
  if (bytes_.empty()) {
    return abort;
  }
  abort.code = static_cast<unsigned char>(bytes_[0]);
  abort.text = bytes_.substr(1);
  const auto exception = static_cast<unsigned char>(bytes_[bytes_.size() < 2 ? 0 : 1]);
  if (bytes_.size() >= 2 && exception < kExceptions.size()) {
    abort.text = "Exception: " + std::string(kExceptions[exception]) + " | " + bytes_.substr(2);
  }
  return abort;
}

std::optional<Abort> AbortMessage::add(std::uint32_t value) {
  const std::uint32_t count = std::min(value & 0xff, 3U);
  for (std::uint32_t i = 0; i < count; ++i) {
    const auto byte = static_cast<std::uint8_t>(value >> (8 * (i + 1)));
    if (byte == abi::hyperlight::kAbortEnd) {
      return whole();
    }
    if (bytes_.size() == kMost) {
      return Abort{0, "Guest abort buffer overflowed"};
    }
    bytes_ += static_cast<char>(byte);
  }
  return std::nullopt;
}

}  // namespace runhl::vmm::hyperlight
