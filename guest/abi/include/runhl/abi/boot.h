// SPDX-License-Identifier: Apache-2.0
// What the monitor tells the guest before it runs: the monitor area, which the guest can only read.
//
//   kMonitorArea + 0                MonitorPage, one page
//                + 0x1000           BootConfig, then the strings and tables that it points to
//
// Offsets in BootConfig count from the start of BootConfig. Strings are NUL-terminated; a list of
// strings is `count` of them, one behind the other.
#pragma once

#include <array>
#include <cstdint>

#include "runhl/abi/ring.h"

namespace runhl::abi {

inline constexpr std::uint64_t kMonitorMagic = 0x3172'6f74'696e'6f6d;  // "monitor1"
inline constexpr std::uint32_t kAbiVersion = 1;
inline constexpr std::uint64_t kBootConfigOffset = kPageSize;

enum MonitorFlags : std::uint32_t {
  kHasFsgsbase = 1U << 0,      // rd/wrfsbase may be used in user mode
  kHasInjection = 1U << 1,     // the monitor hears reserved calls, and can inject descriptors
  kUninterruptible = 1U << 2,  // a received notification is not restarted by signals (5.19)
  kNoRewriting = 1U << 3,      // never patch syscall sites
  kNoRandomLayout = 1U << 4,   // fixed user layout, for tests
  kPanicTest = 1U << 5,        // the kernel panics at once, for tests of the report
};

struct MonitorPage {
  std::uint64_t magic;
  std::uint32_t version;
  std::uint32_t flags;  // MonitorFlags
  std::uint32_t vcpu_count;
  std::uint32_t boot_config_size;
  std::array<std::uint8_t, 32> seed;  // fresh random bytes
  std::uint64_t memory_limit;         // bytes, 0: none; also bounds the kernel memfd
  std::uint64_t heap_size;            // bytes of the memfd's heap
  std::uint64_t pids_limit;           // tasks of the guest, 0: none
  std::uint64_t host_memory;          // bytes of the host's memory, what is there without a limit
};

struct StringList {
  std::uint32_t offset, count;
};

enum class MountKind : std::uint32_t {
  Tree = 1,      // a granted tree (directory or file), `tree` = its handle
  Tmpfs = 2,     // size_bytes (0: half of the limit), mode
  Dev = 3,       // /dev: tmpfs with null zero full random urandom and the links of the OCI spec
  EmptyDir = 4,  // an empty read-only directory
  Masked = 5,    // maskedPaths: an empty read-only directory, or an empty file, over the target
  ReadOnly = 6,  // readonlyPaths: what is at the target, read-only
  Initrd = 7,    // the root as the archive at kInitrd has it; size_bytes: of what is changed
                 // (0: the memory limit)
  Proc = 8,
  Sys = 9,
  Devpts = 10,  // mode (of terminals), owner_gid
  Mqueue = 11,
  Cgroup = 12,  // a view of the container's own limits, in the shape of version 2
};

enum MountFlags : std::uint32_t {
  kMountReadOnly = 1U << 0,
  kMountNoSuid = 1U << 1,
  kMountNoDev = 1U << 2,
  kMountNoExec = 1U << 3,
  kMountStrict = 1U << 4,   // names and attributes are validated at every use (volumes)
  kMountFile = 1U << 5,     // the tree is a single file
  kMountMayWait = 1U << 6,  // a network or a program is behind it: its files go over the ring
};

struct BootMount {  // in the order of config.json; the first one is the root, target "/"
  MountKind kind;
  std::uint32_t flags;  // MountFlags
  Handle tree;          // Tree only
  std::uint32_t mode;   // Tmpfs, Dev, Devpts
  std::uint64_t size_bytes;
  std::uint32_t target;     // offset of an absolute, normalised path
  std::uint32_t source;     // offset of the text for /proc/mounts
  std::uint32_t owner_gid;  // Devpts: of the terminals
  std::uint32_t reserved;
};

struct BootRlimit {
  std::uint32_t resource, reserved;  // RLIMIT_*
  std::uint64_t soft, hard;
};

/// A program that runs to its end before the container's own, in its stead.
struct BootHook {
  std::uint32_t path;             // offset, absolute
  std::uint32_t timeout_seconds;  // 0: none
  StringList args;                // at least one
  StringList env;
};

enum DeviceAccess : std::uint32_t {
  kDeviceRead = 1U << 0,
  kDeviceWrite = 1U << 1,
  kDeviceMknod = 1U << 2,
};

/// One rule of the container's devices cgroup, in the order of config.json; the last one counts.
struct BootDeviceRule {
  std::uint32_t allow;
  std::uint32_t type;    // 'a', 'b', 'c'
  std::uint32_t access;  // DeviceAccess
  std::uint32_t reserved;
  std::int64_t major, minor;  // -1: all
};

struct BootConfig {
  std::uint32_t size;  // bytes with all that follows
  std::uint32_t mounts, mount_count;
  std::uint32_t rlimits, rlimit_count;
  StringList args;  // at least one
  StringList env;
  std::uint32_t cwd;  // offset, absolute
  std::uint32_t hostname, domainname;
  FsCredentials credentials;  // of the container's process: uid, gid, groups, effective
  std::uint64_t cap_permitted, cap_inheritable, cap_bounding, cap_ambient;
  std::uint32_t umask;
  std::uint32_t no_new_privileges;
  std::uint64_t initrd_size;  // bytes of the archive at kInitrd; 0: there is none
  StringList sysctls;  // "name=value", what the guest itself keeps (kernel.shm*, fs.mqueue.*, ...)
  // What the host enforces, for who asks in the guest; 0: no limit.
  std::uint64_t cpu_quota_us, cpu_period_us, cpu_weight;
  std::array<std::uint32_t, 3> stream_modes;    // st_mode of stdin, stdout, stderr; 0: not told
  std::uint32_t start_hooks, start_hook_count;  // BootHook, in the order they run
  std::uint32_t hook_input, hook_input_size;    // bytes that each reads from its stdin
  std::uint32_t device_rules, device_rule_count;
  std::int32_t nice;        // -20..19, what the container was started with
  std::int32_t oom_adjust;  // -1000..1000, the same
};

}  // namespace runhl::abi
