// SPDX-License-Identifier: Apache-2.0
// The child's side of the address space: everything that a cell has lies in the window.
#include <cpuid.h>
#include <elf.h>
#include <linux/filter.h>
#include <sys/auxv.h>
#include <sys/mman.h>

#include <array>
#include <cstring>
#include <new>

#include "cell/cell0.h"
#include "cell/raw_call.h"
#include "runhl/abi/kernel_image.h"
#include "runhl/abi/ring.h"

namespace runhl::vmm::cell {

namespace {

// SAFETY (all): addresses of the window, mapped by the steps of this file.
void* at(std::uint64_t address) {
  return reinterpret_cast<void*>(address);
}

StepError map(std::uint64_t address, std::uint64_t size, int protection, int flags, int fd,
              std::uint64_t offset) {
  const long place = raw_call(SYS_mmap, at(address), size, protection, flags | MAP_FIXED_NOREPLACE,
                              fd, static_cast<long>(offset));
  if (place < 0) {
    return static_cast<StepError>(-place);
  }
  // A host that does not know NOREPLACE takes the address as a hint.
  return static_cast<std::uint64_t>(place) == address ? 0 : EEXIST;
}

StepError move(const void* from, std::uint64_t size, std::uint64_t to) {
  return raw_error(SYS_mremap, from, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, at(to));
}

/// For hosts that do not let the executable's own pages be moved.
StepError copy_text(const Cell0Plan& plan) {
  (void)raw_call(SYS_munmap, at(abi::kKernelText), plan.text.size());
  const StepError error = map(abi::kKernelText, plan.text.size(), PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (error != 0) {
    return error;
  }
  std::memcpy(at(abi::kKernelText), plan.text.data(), plan.text.size());
  return raw_error(SYS_mprotect, at(abi::kKernelText), plan.text.size(), PROT_READ | PROT_EXEC);
}

}  // namespace

StepError map_text_after_fork(const Cell0Plan& plan) {
  // The image's pages lie in this program's own text (cmake/GuestKernel.cmake): no descriptor, no
  // copy.
  return move(plan.text.data(), plan.text.size(), abi::kKernelText) == 0 ? 0 : copy_text(plan);
}

StepError map_memory_after_fork(const Cell0Plan& plan) {
  constexpr int kAccess = PROT_READ | PROT_WRITE;
  constexpr int kFlags = MAP_SHARED | MAP_NORESERVE;
  const StepError error = map(abi::kKernelData, abi::kKernelDataSize, kAccess, kFlags,
                              plan.kernel_memory, abi::memfd_offset(abi::kKernelData));
  if (error != 0) {
    return error;
  }
  // Carrier slots and heap are neighbours in both the window and the file.
  return map(abi::kCarrierSlots, abi::kKernelHeap - abi::kCarrierSlots + plan.heap_size, kAccess,
             kFlags, plan.kernel_memory, abi::memfd_offset(abi::kCarrierSlots));
}

StepError map_host_call_area_after_fork(const Cell0Plan& plan) {
  if (plan.host_call_area == at(abi::kHostCallArea)) {
    return 0;
  }
  return move(plan.host_call_area, abi::kHostCallMappedSize, abi::kHostCallArea);
}

StepError map_monitor_area_after_fork(const Cell0Plan& plan) {
  return map(abi::kMonitorArea, plan.monitor_area_size, PROT_READ, MAP_SHARED, plan.monitor_area,
             0);
}

StepError map_initrd_after_fork(const Cell0Plan& plan) {
  if (plan.initrd < 0 || plan.initrd_size == 0) {
    return 0;
  }
  return map(abi::kInitrd, plan.initrd_size, PROT_READ, MAP_SHARED, plan.initrd, 0);
}

/// As the host's kernel says it: glibc answers getauxval(AT_HWCAP) with words of its own.
std::uint64_t hwcap_after_fork() {
  constexpr int kGetAuxv = 0x4155'5856;  // PR_GET_AUXV, Linux 6.4
  std::array<Elf64_auxv_t, 64> vector{};
  (void)raw_call(SYS_prctl, kGetAuxv, vector.data(), sizeof vector, 0, 0);
  for (const Elf64_auxv_t& entry : vector) {
    if (entry.a_type == AT_HWCAP) {
      return entry.a_un.a_val;
    }
  }
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;  // what an older kernel says is CPUID.1.EDX
  (void)__get_cpuid(1, &eax, &ebx, &ecx, &edx);
  return edx;
}

StepError move_vdso_after_fork(const Cell0Plan& plan) {
  auto* const header = static_cast<abi::HostCallHeader*>(at(abi::kHostCallArea));
  abi::LaunchInfo& info = header->launch;
  const VdsoMappings& vdso = plan.vdso;
  const std::uint64_t distance = abi::kVdsoArea - vdso.start();
  for (std::size_t i = 0; i < vdso.count; ++i) {
    const VdsoMappings::Range& range = vdso.ranges[i];
    const StepError error = move(at(range.start), range.size, range.start + distance);
    if (error != 0) {
      return error;
    }
  }
  if (vdso.count != 0) {
    info.vdso_address = vdso.vdso.start + distance;
    info.vdso_size = vdso.vdso.size;
    info.vvar_address = abi::kVdsoArea;
    info.vvar_size = vdso.size() - vdso.vdso.size;
  }
  info.hwcap = hwcap_after_fork();
  info.hwcap2 = ::getauxval(AT_HWCAP2);
  info.minsigstksz = ::getauxval(AT_MINSIGSTKSZ);
  info.clock_ticks = ::getauxval(AT_CLKTCK);
  return 0;
}

void enter_window_after_fork(const Cell0Plan& plan, std::span<const sock_filter> strict) {
  // The filter's copy lies at the far end of the signal stack, which nobody uses yet.
  const std::uint64_t filter = abi::kCarrierSlots + abi::kSlotSignalStack;
  const std::uint64_t instructions = filter + sizeof(sock_fprog);
  std::memcpy(at(instructions), strict.data(), strict.size_bytes());
  new (at(filter)) sock_fprog{static_cast<unsigned short>(strict.size()),
                              static_cast<sock_filter*>(at(instructions))};

  constexpr std::uint64_t kStackTop =
      abi::kCarrierSlots + abi::kSlotIdleStack + abi::kSlotIdleStackSize;
  constexpr std::uint64_t kStackAlignment = 16;
  const std::uint64_t place = align_down(kStackTop - sizeof(abi::CellLaunch), kStackAlignment);
  constexpr std::uint64_t kUserTop = 0x7fff'ffff'f000;  // end of the host's user addresses
  const auto* const launch = new (at(place)) abi::CellLaunch{
      .stack = place,
      .entry = plan.entry,
      .unmap1_start = abi::kUserBase,
      .unmap1_length = abi::kWindowBase - abi::kUserBase,
      .unmap2_start = abi::kWindowEnd,
      .unmap2_length = kUserTop - abi::kWindowEnd,
      .filter = filter,
  };
  // SAFETY: the stub's contract (guest/abi/launch_stub.S): rdi = &CellLaunch; it never returns and
  // uses no stack but CellLaunch::stack.
  asm volatile("jmp *%[stub]" : : [stub] "r"(plan.launch_stub), "D"(launch) : "memory");
  __builtin_unreachable();
}

}  // namespace runhl::vmm::cell
