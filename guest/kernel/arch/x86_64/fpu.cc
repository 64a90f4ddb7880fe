// SPDX-License-Identifier: Apache-2.0
#include "arch/x86_64/fpu.h"

#include <asm/sigcontext.h>

#include <cstring>

#include "arch/x86_64/cpu.h"
#include "arch/x86_64/host_syscall.h"
#include "mm/heap.h"
#include "proc/task.h"

namespace runhl::kernel {

namespace {

// Intel SDM vol. 1, 13.1: state components. PKRU is the kernel's business of nobody here (the host
// gives every thread its own default); AMX needs a permission that programs cannot ask for.
constexpr std::uint64_t kPkru = 1U << 9;
constexpr std::uint64_t kAmx = 3U << 17;
constexpr std::uint32_t kLegacySize = 512;
constexpr std::uint32_t kHeaderSize = 64;
constexpr std::uint32_t kDefaultMxcsr = 0x1f80;
constexpr std::uint16_t kDefaultFcw = 0x37f;

struct FpuInfo {  // written once, by fpu_init
  std::uint64_t mask = 3;
  std::uint32_t size = kLegacySize + kHeaderSize;
  std::uint32_t mxcsr_mask = 0xffbf;
  bool xsave = false;
  bool xsavec = false;
  bool fsgsbase = false;
};
constinit FpuInfo g_fpu;

std::uint32_t low(std::uint64_t mask) {
  return static_cast<std::uint32_t>(mask);
}
std::uint32_t high(std::uint64_t mask) {
  return static_cast<std::uint32_t>(mask >> 32);
}

// SAFETY (the next five): areas are 64-byte aligned and hold g_fpu.size bytes; images that a
// program could have written are checked before (fpu_load_frame).
void xsave(std::byte* area, std::uint64_t mask) {
  asm volatile("xsave64 (%0)" : : "r"(area), "a"(low(mask)), "d"(high(mask)) : "memory");
}
void xsavec(std::byte* area, std::uint64_t mask) {
  asm volatile("xsavec64 (%0)" : : "r"(area), "a"(low(mask)), "d"(high(mask)) : "memory");
}
void xrstor(const std::byte* area, std::uint64_t mask) {
  asm volatile("xrstor64 (%0)" : : "r"(area), "a"(low(mask)), "d"(high(mask)) : "memory");
}
void fxsave(std::byte* area) {
  asm volatile("fxsave64 (%0)" : : "r"(area) : "memory");
}
void fxrstor(const std::byte* area) {
  asm volatile("fxrstor64 (%0)" : : "r"(area) : "memory");
}

_fpx_sw_bytes& software_bytes(std::byte* image) {
  constexpr std::size_t kOffset = 464;  // asm/sigcontext.h: the last 48 bytes of the FXSAVE area
  static_assert(sizeof(_fpx_sw_bytes) == 48);
  return *reinterpret_cast<_fpx_sw_bytes*>(image + kOffset);
}

/// What an area of all components in the standard format takes.
std::uint32_t standard_size(std::uint64_t mask) {
  std::uint32_t size = kLegacySize + kHeaderSize;
  for (std::uint32_t component = 2; component < 63; ++component) {
    if ((mask >> component & 1) == 0) {
      continue;
    }
    const cpu::CpuidResult r = cpu::cpuid(0xd, component);
    const std::uint32_t end = r.eax + r.ebx;
    size = end > size ? end : size;
  }
  return size;
}

void init_area(std::byte* area) {
  std::memset(area, 0, g_fpu.size);
  std::memcpy(area, &kDefaultFcw, sizeof(kDefaultFcw));
  std::memcpy(area + 24, &kDefaultMxcsr, sizeof(kDefaultMxcsr));
  if (g_fpu.xsavec) {
    // XRSTOR tells the compacted format by bit 63 of XCOMP_BV; the area is written by XSAVEC.
    const std::uint64_t compacted = 1ULL << 63 | g_fpu.mask;
    std::memcpy(area + kLegacySize + 8, &compacted, sizeof(compacted));
  }
}

}  // namespace

void fpu_init(bool has_fsgs) {
  g_fpu.fsgsbase = has_fsgs;
  constexpr std::uint32_t kOsxsave = 1U << 27;
  if ((cpu::cpuid(1, 0).ecx & kOsxsave) == 0) {
    return;
  }
  g_fpu.xsave = true;
  g_fpu.mask = cpu::xgetbv0() & ~(kPkru | kAmx);
  g_fpu.size = standard_size(g_fpu.mask);
  g_fpu.xsavec = (cpu::cpuid(0xd, 1).eax & 2) != 0;
  alignas(16) std::array<std::byte, kLegacySize> legacy{};
  fxsave(legacy.data());
  std::uint32_t mask = 0;
  std::memcpy(&mask, legacy.data() + 28, sizeof(mask));
  if (mask != 0) {
    g_fpu.mxcsr_mask = mask;
  }
}

bool has_fsgsbase() {
  return g_fpu.fsgsbase;
}

std::byte* fpu_area_create() {
  // Whole pages are aligned by the heap; XSAVE needs 64 bytes.
  const std::size_t size = align_up(g_fpu.size, kPageSize);
  auto* const area = static_cast<std::byte*>(heap_allocate(size));
  if (area != nullptr) {
    init_area(area);
  }
  return area;
}

void fpu_area_free(std::byte* area) {
  heap_free(area, align_up(g_fpu.size, kPageSize));
}

void user_state_save(Task& task) {
  if (g_fpu.xsavec) {
    xsavec(task.fpu, g_fpu.mask);
  } else if (g_fpu.xsave) {
    xsave(task.fpu, g_fpu.mask);
  } else {
    fxsave(task.fpu);
  }
  if (g_fpu.fsgsbase) {
    task.fs_base = cpu::read_fs_base();  // else every change went through set_user_fs_base
  }
}

void user_state_load(const Task& task) {
  if (g_fpu.xsave) {
    xrstor(task.fpu, g_fpu.mask);
  } else {
    fxrstor(task.fpu);
  }
  set_user_fs_base(task.fs_base);
}

void user_state_copy(Task& to) {
  user_state_save(to);
  to.fs_base = user_fs_base();
}

void fpu_reset() {
  Task& task = current();
  init_area(task.fpu);
  if (g_fpu.xsave) {
    xrstor(task.fpu, g_fpu.mask);
  } else {
    fxrstor(task.fpu);
  }
}

void fpu_restore_signal_frame(const void* fpstate) {
  if (fpstate == nullptr) {
    return;
  }
  // SAFETY: the host wrote this image for this thread, 64-byte aligned, standard format.
  auto* const image = const_cast<std::byte*>(static_cast<const std::byte*>(fpstate));
  const _fpx_sw_bytes& software = software_bytes(image);
  if (software.magic1 != FP_XSTATE_MAGIC1) {
    fxrstor(image);
    return;
  }
  xrstor(image, software.xfeatures & ~kPkru);
}

std::size_t fpu_frame_size() {
  return g_fpu.xsave ? g_fpu.size + FP_XSTATE_MAGIC2_SIZE : kLegacySize;
}

void fpu_save_frame(std::byte* image) {
  std::memset(image, 0, fpu_frame_size());
  if (!g_fpu.xsave) {
    fxsave(image);
    return;
  }
  xsave(image, g_fpu.mask);
  _fpx_sw_bytes& software = software_bytes(image);
  software = {};
  software.magic1 = FP_XSTATE_MAGIC1;
  software.extended_size = static_cast<std::uint32_t>(fpu_frame_size());
  software.xfeatures = g_fpu.mask;
  software.xstate_size = g_fpu.size;
  const std::uint32_t magic2 = FP_XSTATE_MAGIC2;
  std::memcpy(image + g_fpu.size, &magic2, sizeof(magic2));
}

bool fpu_load_frame(std::byte* image, std::size_t size) {
  if (size < kLegacySize) {
    return false;
  }
  std::uint32_t mxcsr = 0;
  std::memcpy(&mxcsr, image + 24, sizeof(mxcsr));
  mxcsr &= g_fpu.mxcsr_mask;  // a reserved bit would fault
  std::memcpy(image + 24, &mxcsr, sizeof(mxcsr));
  const _fpx_sw_bytes software = software_bytes(image);
  const bool extended = g_fpu.xsave && size >= fpu_frame_size() &&
                        software.magic1 == FP_XSTATE_MAGIC1 && software.xstate_size <= g_fpu.size;
  if (!extended) {
    fxrstor(image);
    return true;
  }
  // The header: only known components, standard format, reserved bytes zero.
  std::array<std::uint64_t, kHeaderSize / 8> header{};
  std::memcpy(header.data(), image + kLegacySize, kHeaderSize);
  header[0] &= g_fpu.mask & software.xfeatures;
  for (std::size_t i = 1; i < header.size(); ++i) {
    header[i] = 0;
  }
  std::memcpy(image + kLegacySize, header.data(), kHeaderSize);
  xrstor(image, g_fpu.mask);
  return true;
}

void set_user_fs_base(std::uint64_t value) {
  if (g_fpu.fsgsbase) {
    cpu::write_fs_base(value);
    return;
  }
  (void)host::arch_prctl(ARCH_SET_FS, value);  // the value is canonical: access-checked by callers
  current().fs_base = value;
}

std::uint64_t user_fs_base() {
  return g_fpu.fsgsbase ? cpu::read_fs_base() : current().fs_base;
}

}  // namespace runhl::kernel
