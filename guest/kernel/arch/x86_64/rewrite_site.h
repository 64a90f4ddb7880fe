// SPDX-License-Identifier: Apache-2.0
// The bytes of form A: `mov $nr, %eax; syscall` becomes `jmp trampoline; syscall`. Pure.
//
//   site      b8 imm32   0f 05            trampoline   b8 imm32            mov $nr, %eax
//     ->      e9 rel32   0f 05                         48 8d 0d rel32      lea return(%rip), %rcx
//             (the syscall bytes stay: a task between                ff 25 rel32         jmp
//             *entry(%rip) the two, or a jump to the second, merely traps)
#pragma once

#include <array>
#include <cstdint>
#include <optional>

namespace runhl::kernel {

inline constexpr std::uint64_t kSiteSize = 7;         // mov, syscall
inline constexpr std::uint64_t kMovSize = 5;          // what is overwritten
inline constexpr std::uint64_t kTrampolineSize = 32;  // 18 used
inline constexpr std::uint64_t kAnnexHeader = 32;     // an annex begins with the entry's address

using SiteBytes = std::array<std::uint8_t, kSiteSize>;
using MovBytes = std::array<std::uint8_t, kMovSize>;
using TrampolineBytes = std::array<std::uint8_t, kTrampolineSize>;

/// True: these bytes are form A and load `number`.
bool is_form_a(const SiteBytes& bytes, std::uint32_t number);

/// `jmp target` at `site`; nothing if it is out of reach.
std::optional<MovBytes> encode_jump(std::uint64_t site, std::uint64_t target);

/// The trampoline at `at` for the call at `site`; `entry_pointer` holds runhl_fast_entry's address.
std::optional<TrampolineBytes> encode_trampoline(std::uint64_t at, std::uint32_t number,
                                                 std::uint64_t site, std::uint64_t entry_pointer);

}  // namespace runhl::kernel
