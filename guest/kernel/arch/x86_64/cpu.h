// SPDX-License-Identifier: Apache-2.0
// Single instructions as functions.
#pragma once

#include <cstdint>

namespace runhl::kernel::cpu {

struct CpuidResult {
  std::uint32_t eax, ebx, ecx, edx;
};
inline CpuidResult cpuid(std::uint32_t leaf, std::uint32_t subleaf) {
  CpuidResult r{};
  asm volatile("cpuid"
               : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
               : "a"(leaf), "c"(subleaf));
  return r;
}

inline std::uint64_t xgetbv0() {
  std::uint32_t low = 0;
  std::uint32_t high = 0;
  asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return std::uint64_t{high} << 32 | low;
}

// SAFETY (the four below): only where MonitorFlags has kHasFsgsbase, else #UD.
inline std::uint64_t read_fs_base() {
  std::uint64_t value = 0;
  asm volatile("rdfsbase %0" : "=r"(value));
  return value;
}
inline void write_fs_base(std::uint64_t value) {
  asm volatile("wrfsbase %0" : : "r"(value));
}
inline std::uint64_t read_gs_base() {
  std::uint64_t value = 0;
  asm volatile("rdgsbase %0" : "=r"(value));
  return value;
}
inline void write_gs_base(std::uint64_t value) {
  asm volatile("wrgsbase %0" : : "r"(value) : "memory");
}

inline void pause() {
  asm volatile("pause");
}

}  // namespace runhl::kernel::cpu
