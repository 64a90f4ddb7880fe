// SPDX-License-Identifier: Apache-2.0
#include "cell/memory_file.h"

#include <fcntl.h>
#include <linux/memfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>

#include "runhl/abi/layout.h"
#include "runhl/core/units.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U  // Linux 6.3
#endif

namespace runhl::vmm::cell {

namespace {

Result<UniqueFd> make_memory_file(const char* name, std::uint64_t size) {
  // Says that nobody executes the file; hosts may insist on an answer, old ones do not know it.
  UniqueFd fd{::memfd_create(name, MFD_CLOEXEC | MFD_NOEXEC_SEAL)};
  if (!fd && errno == EINVAL) {
    fd.reset(::memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
  }
  if (!fd) {
    return fail_errno("memfd_create");
  }
  if (::ftruncate(fd.get(), static_cast<off_t>(size)) != 0) {
    return fail_errno("ftruncate of kernel memory");
  }
  return fd;
}

Result<void> seal(const UniqueFd& fd, int seals) {
  if (::fcntl(fd.get(), F_ADD_SEALS, seals) != 0) {
    return fail_errno("F_ADD_SEALS");
  }
  return {};
}

}  // namespace

Result<UniqueFd> make_kernel_memory(const KernelImage& kernel, std::uint64_t heap_size) {
  UniqueFd fd =
      TRY(make_memory_file("runhl-kernel", abi::memfd_offset(abi::kKernelHeap) + heap_size));
  TRY(seal(fd, F_SEAL_GROW | F_SEAL_SHRINK));
  const ssize_t written = ::pwrite(fd.get(), kernel.data.data(), kernel.data.size(),
                                   static_cast<off_t>(abi::memfd_offset(abi::kKernelData)));
  if (written < 0) {
    return fail_errno("write of kernel data");
  }
  if (static_cast<std::size_t>(written) != kernel.data.size()) {
    return fail_errno("write of kernel data", ENOSPC);
  }
  return fd;
}

abi::MonitorPage& MonitorArea::page() const {
  // SAFETY: page-aligned, at least a page, zeroed, and written by this process alone.
  return *reinterpret_cast<abi::MonitorPage*>(mapping.bytes().data());
}

Result<MonitorArea> make_monitor_area(std::uint64_t size) {
  MonitorArea area;
  area.size = align_up(size, kPageSize);
  area.file = TRY(make_memory_file("runhl-monitor", area.size));
  const int fd = area.file.get();
  void* const place = ::mmap(nullptr, area.size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (place == MAP_FAILED) {
    return fail_errno("mmap of the monitor area");
  }
  area.mapping = Mapping({static_cast<std::byte*>(place), area.size});
  TRY(seal(area.file, F_SEAL_FUTURE_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL));
  return area;
}

}  // namespace runhl::vmm::cell
