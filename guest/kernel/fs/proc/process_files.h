// SPDX-License-Identifier: Apache-2.0
// The rows of /proc/PID, and what the sources of this folder give to each other for them.
//
//   process_files.cc   the table, and text about the process
//   process_links.cc   fd/, fdinfo/, exe, cwd, root, ns/
//   process_maps.cc    maps, smaps
//   mount_files.cc     mounts, mountinfo, mountstats
//   net_files.cc       net/
#pragma once

#include "fs/fd_table.h"
#include "fs/fs_context.h"
#include "fs/proc/proc_fs.h"
#include "fs/proc/process_view.h"
#include "fs/pseudo/table_node.h"

namespace runhl::kernel {

const Table& proc_process_table();

Result<Ref<PseudoNode>> make_task_directory(const PseudoFileSystem& system, const Subject& subject);
Result<Ref<PseudoNode>> make_fd_directory(const PseudoFileSystem& system, const Subject& subject);
Result<Ref<PseudoNode>> make_fdinfo_directory(const PseudoFileSystem& system,
                                              const Subject& subject);
Result<Ref<PseudoNode>> make_net_directory(const PseudoFileSystem& system, const Subject& subject);

Result<void> show_namespace(TextWriter& out, const Subject& subject);
Result<void> show_cwd(TextWriter& out, const Subject& subject);
Result<void> show_root(TextWriter& out, const Subject& subject);
Result<void> show_executable(TextWriter& out, const Subject& subject);
Result<void> jump_to_cwd(LinkStop& stop, const Subject& subject);
Result<void> jump_to_root(LinkStop& stop, const Subject& subject);
Result<void> jump_to_executable(LinkStop& stop, const Subject& subject);
/// As /proc/self/fd/N of an open file does.
Result<void> jump_to_file(LinkStop& stop, const Ref<File>& file);

Result<void> show_maps(TextWriter& out, const Subject& subject);
Result<void> show_detailed_maps(TextWriter& out, const Subject& subject);
Result<void> show_maps_sum(TextWriter& out, const Subject& subject);

Result<void> show_mounts(TextWriter& out, const Subject& subject);
Result<void> show_mount_info(TextWriter& out, const Subject& subject);
Result<void> show_mount_stats(TextWriter& out, const Subject& subject);
Result<void> show_cpuset(TextWriter& out, const Subject& subject);

/// Null: the task has ended.
Ref<FsContext> fs_of(const ProcessTarget& target);
Ref<FdTable> files_of(const ProcessTarget& target);

/// "/a/b" of an open file, "pipe:[12]", "/gone (deleted)".
Result<void> add_file_path(TextWriter& out, const File& file);

struct ProcessMemory {  // bytes
  std::uint64_t total = 0, peak_total = 0, locked = 0, text = 0, library = 0, data = 0, stack = 0;
  std::uint64_t resident = 0, peak_resident = 0, anonymous = 0, file = 0, shared = 0;
  std::uint64_t faults = 0;
};
ProcessMemory process_memory(const ProcessTarget& target);
std::uint64_t heap_start(const ProcessTarget& target);

struct CpuTimes {
  Nanoseconds user = 0, system = 0;
};
CpuTimes cpu_times(const ProcessTarget& target, bool task_only);
/// Of children that were waited for.
CpuTimes children_cpu_times(const ProcessTarget& target);

}  // namespace runhl::kernel
