// SPDX-License-Identifier: Apache-2.0
#include "host/clock.h"

#include <elf.h>

#include <cstring>
#include <ctime>
#include <string_view>

#include "arch/x86_64/carrier.h"
#include "host/events.h"

namespace runhl::kernel {

namespace {

using ClockGettime = int (*)(int clock, __kernel_timespec* out);
constinit ClockGettime g_clock_gettime = nullptr;  // written once, by clock_init
constinit Nanoseconds g_boot_time = 0;             // the same

/// The vdso is one ELF image, linked at 0 and mapped whole.
struct Vdso {
  std::uint64_t base = 0;
  const Elf64_Sym* symbols = nullptr;
  const char* strings = nullptr;
  std::uint64_t symbol_count = 0;
};

template <typename T>
const T* vdso_pointer(std::uint64_t address) {
  // SAFETY: offsets of the host's own vdso image, mapped by the launcher.
  return reinterpret_cast<const T*>(address);
}

const Elf64_Dyn* find_dynamic(std::uint64_t base) {
  const auto* const header = vdso_pointer<Elf64_Ehdr>(base);
  if (std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0) {
    return nullptr;
  }
  const auto* const segments = vdso_pointer<Elf64_Phdr>(base + header->e_phoff);
  for (unsigned i = 0; i < header->e_phnum; ++i) {
    if (segments[i].p_type == PT_DYNAMIC) {
      return vdso_pointer<Elf64_Dyn>(base + segments[i].p_offset);
    }
  }
  return nullptr;
}

Vdso parse(std::uint64_t base) {
  Vdso vdso{.base = base};
  const Elf64_Dyn* entry = find_dynamic(base);
  if (entry == nullptr) {
    return vdso;
  }
  std::uint64_t symbols = 0;
  std::uint64_t strings = 0;
  for (; entry->d_tag != DT_NULL; ++entry) {
    if (entry->d_tag == DT_SYMTAB) {
      symbols = entry->d_un.d_ptr;
    } else if (entry->d_tag == DT_STRTAB) {
      strings = entry->d_un.d_ptr;
    } else if (entry->d_tag == DT_HASH) {
      vdso.symbol_count = vdso_pointer<Elf64_Word>(base + entry->d_un.d_ptr)[1];  // nchain
    }
  }
  if (vdso.symbol_count == 0 && strings > symbols) {
    vdso.symbol_count = (strings - symbols) / sizeof(Elf64_Sym);  // the linker puts them so
  }
  vdso.symbols = vdso_pointer<Elf64_Sym>(base + symbols);
  vdso.strings = vdso_pointer<char>(base + strings);
  return vdso;
}

std::uint64_t find_function(const Vdso& vdso, std::string_view name) {
  for (std::uint64_t i = 0; i < vdso.symbol_count; ++i) {
    const Elf64_Sym& symbol = vdso.symbols[i];
    if (symbol.st_shndx != SHN_UNDEF && name == vdso.strings + symbol.st_name) {
      return vdso.base + symbol.st_value;
    }
  }
  return 0;
}

}  // namespace

Result<void> clock_init() {
  const std::uint64_t base = host_header().launch.vdso_address;
  if (base == 0) {
    return fail(ENOSYS);
  }
  const std::uint64_t function = find_function(parse(base), "__vdso_clock_gettime");
  if (function == 0) {
    return fail(ENOSYS);
  }
  g_clock_gettime = reinterpret_cast<ClockGettime>(function);
  g_boot_time = to_nanoseconds(TRY(clock_read(CLOCK_MONOTONIC)));
  return {};
}

Nanoseconds boot_time() {
  return g_boot_time;
}

Result<__kernel_timespec> clock_read(int clock) {
  __kernel_timespec now{};
  Carrier& carrier = this_carrier();
  // A host signal inside the vdso is the kernel's own while this is set; and where the vdso falls
  // back to a real system call, the trap handler answers ENOSYS for it.
  carrier.in_vdso = true;
  asm volatile("" ::: "memory");
  const int error = g_clock_gettime(clock, &now);
  asm volatile("" ::: "memory");
  carrier.in_vdso = false;
  if (error != 0) {
    return fail(-error);
  }
  return now;
}

Nanoseconds monotonic_now() {
  const Result<__kernel_timespec> now = clock_read(CLOCK_MONOTONIC);
  return now ? to_nanoseconds(*now) : 0;  // cannot fail: clock_init tried it
}

Nanoseconds realtime_now() {
  const Result<__kernel_timespec> now = clock_read(CLOCK_REALTIME);
  return now ? to_nanoseconds(*now) : 0;
}

}  // namespace runhl::kernel
