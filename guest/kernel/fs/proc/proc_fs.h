// SPDX-License-Identifier: Apache-2.0
// /proc. The whole system's files are rows of one table, each process's of another:
//
//   proc_fs.cc        the root: the system's rows, then a directory a process
//   system_files.cc   meminfo, stat, uptime, ... and their text
//   cpu_info.cc       cpuinfo
//   sys_files.cc      sys/
//   net_files.cc      net/ (the same for every process)
#pragma once

#include "core/result.h"
#include "fs/pseudo/table_node.h"

namespace runhl::kernel {

/// The root of /proc; one file system, however often it is mounted.
Result<Ref<PseudoNode>> make_proc_root();
inline constexpr PseudoFileSystem kProcFileSystem{
    .type = "proc", .magic = 0x9fa0, .device = 0x16, .create_error = ENOENT};

/// What of /proc is no process's.
const Table& proc_system_table();
/// /proc/sys, paths from there; a table of its own, since its permissions are stricter.
const Table& proc_sys_table();
/// Sets what config.json's linux.sysctl names: "kernel.shmmax" or with slashes. ENOENT: there is no
/// such setting, EINVAL: not with this value.
Result<void> set_sysctl(std::string_view name, std::string_view value);

}  // namespace runhl::kernel
