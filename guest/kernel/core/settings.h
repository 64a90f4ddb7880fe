// SPDX-License-Identifier: Apache-2.0
// The kernel's adjustable numbers, as /proc/sys shows them, and its name. Whoever a number governs
// reads it here; config.json's linux.sysctl sets some at boot.
#pragma once

#include <atomic>
#include <cstdint>
#include <string_view>

namespace runhl::kernel {

using Setting = std::atomic<std::int64_t>;

// Defaults are Linux's on a 64-bit machine.
struct Settings {
  // kernel/
  Setting pid_max{32'768}, threads_max{16'384}, cap_last_cap{40};
  Setting shmmax{-16'777'217}, shmall{-16'777'217}, shmmni{4096}, shm_rmid_forced{0};
  Setting msgmax{8192}, msgmnb{16'384}, msgmni{32'000};
  Setting sem_msl{32'000}, sem_mns{1'024'000'000}, sem_opm{500}, sem_mni{32'000};
  Setting ngroups_max{65'536}, overflow_uid{65'534}, overflow_gid{65'534};
  Setting core_uses_pid{0}, tainted{0}, panic{0}, panic_on_oops{0}, ptrace_scope{1};
  Setting randomize_va_space{2}, kptr_restrict{1}, dmesg_restrict{1}, perf_event_paranoid{2};
  Setting sched_rt_runtime{950'000}, sched_rt_period{1'000'000}, unprivileged_bpf_disabled{2};
  Setting hung_task_timeout{0}, sysrq{0}, seccomp_log{0}, max_lock_depth{1024};
  // vm/
  Setting overcommit_memory{0}, overcommit_ratio{50}, overcommit_kbytes{0}, max_map_count{65'530};
  Setting swappiness{60}, mmap_min_addr{65'536}, dirty_ratio{20}, dirty_background_ratio{10};
  Setting vfs_cache_pressure{100}, min_free_kbytes{67'584}, panic_on_oom{0}, nr_hugepages{0};
  Setting oom_kill_allocating_task{0}, legacy_va_layout{0}, mmap_rnd_bits{28};
  // fs/
  Setting file_max{9'223'372'036'854'775'807}, nr_open{1'048'576}, pipe_max_size{1'048'576};
  Setting pipe_user_pages_soft{16'384}, pipe_user_pages_hard{0}, aio_max_nr{65'536}, aio_nr{0};
  Setting inotify_events{16'384}, inotify_instances{128}, inotify_watches{65'536};
  Setting epoll_watches{1'000'000}, lease_break_time{45}, leases_enable{1}, suid_dumpable{0};
  Setting protected_hardlinks{1}, protected_symlinks{1}, protected_fifos{1}, protected_regular{2};
  Setting mq_msg_default{10}, mq_msg_max{10}, mq_msgsize_default{8192}, mq_msgsize_max{8192};
  Setting mq_queues_max{256}, mount_max{100'000};
  // net/
  Setting somaxconn{4096}, rmem_default{212'992}, rmem_max{212'992}, wmem_default{212'992};
  Setting wmem_max{212'992}, unix_dgram_qlen{512}, netdev_backlog{1000}, optmem_max{131'072};
};

Settings& settings();

/// A number stands for itself: it orders nothing else.
inline std::int64_t value_of(const Setting& setting) {
  return setting.load(std::memory_order_relaxed);
}
/// Of those that are unsigned on Linux.
inline std::uint64_t unsigned_value_of(const Setting& setting) {
  return static_cast<std::uint64_t>(value_of(setting));
}

/// uname(2) and /proc/sys/kernel/{ostype,osrelease,version}.
inline constexpr std::string_view kSystemName = "Linux";
inline constexpr std::string_view kSystemRelease = "6.1.0-runhl";
inline constexpr std::string_view kSystemVersion = "#1 SMP runhl";

}  // namespace runhl::kernel
