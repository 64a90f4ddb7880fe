// SPDX-License-Identifier: Apache-2.0
// What handlers of file and memory calls ask of the current process.
#pragma once

#include <sys/resource.h>

#include <cstdint>

#include "fs/fd_table.h"
#include "fs/fs_context.h"
#include "mm/address_space.h"
#include "proc/task.h"

namespace runhl::kernel {

inline FdTable& current_files() {
  return *current().files;
}
inline FsContext& current_fs() {
  return *current().fs;
}
inline AddressSpace& current_mm() {
  return *current().process->mm;
}
inline std::uint64_t descriptor_limit() {
  return current().process->rlimits[RLIMIT_NOFILE].soft;
}
/// An int argument: Linux looks at the low 32 bits.
constexpr int to_fd(std::uint64_t argument) {
  return static_cast<int>(static_cast<std::uint32_t>(argument));
}
constexpr std::uint32_t to_u32(std::uint64_t argument) {
  return static_cast<std::uint32_t>(argument);
}
/// The lowest free descriptor for `file`; of `flags` only O_CLOEXEC counts.
inline Result<std::uint64_t> install_file(Ref<File> file, std::uint32_t flags) {
  const auto close_on_exec = (flags & O_CLOEXEC) != 0 ? CloseOnExec::Yes : CloseOnExec::No;
  const int fd = TRY(current_files().install(std::move(file), close_on_exec, descriptor_limit()));
  return static_cast<std::uint64_t>(fd);
}

}  // namespace runhl::kernel
