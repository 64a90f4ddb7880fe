// SPDX-License-Identifier: Apache-2.0
#include "arch/x86_64/rewrite_site.h"

#include <cstring>

namespace runhl::kernel {

namespace {

constexpr std::uint8_t kMovEax = 0xb8;
constexpr std::uint8_t kJumpRel32 = 0xe9;
constexpr std::uint8_t kNop = 0x90;

/// The displacement from the end of an instruction to `target`, if 32 bits hold it.
std::optional<std::int32_t> relative(std::uint64_t instruction_end, std::uint64_t target) {
  const auto distance = static_cast<std::int64_t>(target - instruction_end);
  if (distance < INT32_MIN || distance > INT32_MAX) {
    return std::nullopt;
  }
  return static_cast<std::int32_t>(distance);
}

}  // namespace

bool is_form_a(const SiteBytes& bytes, std::uint32_t number) {
  std::uint32_t immediate = 0;
  std::memcpy(&immediate, bytes.data() + 1, sizeof(immediate));
  return bytes[0] == kMovEax && immediate == number && bytes[5] == 0x0f && bytes[6] == 0x05;
}

std::optional<MovBytes> encode_jump(std::uint64_t site, std::uint64_t target) {
  const auto displacement = relative(site + kMovSize, target);
  if (!displacement) {
    return std::nullopt;
  }
  MovBytes out{kJumpRel32};
  std::memcpy(out.data() + 1, &*displacement, sizeof(*displacement));
  return out;
}

std::optional<TrampolineBytes> encode_trampoline(std::uint64_t at, std::uint32_t number,
                                                 std::uint64_t site, std::uint64_t entry_pointer) {
  const auto to_return = relative(at + 12, site + kSiteSize);
  const auto to_entry = relative(at + 18, entry_pointer);
  if (!to_return || !to_entry) {
    return std::nullopt;
  }
  TrampolineBytes out{};
  out.fill(kNop);
  out[0] = kMovEax;
  std::memcpy(out.data() + 1, &number, sizeof(number));
  out[5] = 0x48, out[6] = 0x8d, out[7] = 0x0d;
  std::memcpy(out.data() + 8, &*to_return, sizeof(*to_return));
  out[12] = 0xff, out[13] = 0x25;
  std::memcpy(out.data() + 14, &*to_entry, sizeof(*to_entry));
  return out;
}

}  // namespace runhl::kernel
