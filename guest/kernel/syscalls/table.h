// SPDX-License-Identifier: Apache-2.0
// The kernel's table of contents: one row a system call, ascending. docs/syscalls.md is printed
// from it. A number without a row answers ENOSYS and is counted.
//
//        nr   name              handler               support  locks  what is missing
// clang-format off
#define RUNHL_SYSCALL_TABLE(X) \
  X(13, rt_sigaction, sys_rt_sigaction, Full, Free, "") \
  X(14, rt_sigprocmask, sys_rt_sigprocmask, Full, Free, "") \
  X(15, rt_sigreturn, sys_rt_sigreturn, Full, Free, "") \
  X(24, sched_yield, sys_sched_yield, Full, Fine, "") \
  X(34, pause, sys_pause, Full, Fine, "") \
  X(35, nanosleep, sys_nanosleep, Full, Fine, "") \
  X(39, getpid, sys_getpid, Full, Free, "") \
  X(60, exit, sys_exit, Full, Big, "") \
  X(62, kill, sys_kill, Partial, Big, "one process") \
  X(63, uname, sys_uname, Full, Free, "") \
  X(96, gettimeofday, sys_gettimeofday, Full, Free, "") \
  X(97, getrlimit, sys_getrlimit, Full, Free, "") \
  X(98, getrusage, sys_getrusage, Partial, Free, "CPU time is wall time; no page counts") \
  X(99, sysinfo, sys_sysinfo, Partial, Free, "no load, swap or buffers") \
  X(100, times, sys_times, Partial, Free, "CPU time is wall time") \
  X(102, getuid, sys_getuid, Full, Free, "") \
  X(104, getgid, sys_getgid, Full, Free, "") \
  X(105, setuid, sys_setuid, Full, Big, "") \
  X(106, setgid, sys_setgid, Full, Big, "") \
  X(107, geteuid, sys_geteuid, Full, Free, "") \
  X(108, getegid, sys_getegid, Full, Free, "") \
  X(109, setpgid, sys_setpgid, Partial, Big, "one process") \
  X(110, getppid, sys_getppid, Full, Free, "") \
  X(111, getpgrp, sys_getpgrp, Partial, Free, "one process") \
  X(112, setsid, sys_setsid, Partial, Big, "one process") \
  X(113, setreuid, sys_setreuid, Full, Big, "") \
  X(114, setregid, sys_setregid, Full, Big, "") \
  X(115, getgroups, sys_getgroups, Full, Free, "") \
  X(116, setgroups, sys_setgroups, Partial, Big, "at most 64 groups") \
  X(117, setresuid, sys_setresuid, Full, Big, "") \
  X(118, getresuid, sys_getresuid, Full, Free, "") \
  X(119, setresgid, sys_setresgid, Full, Big, "") \
  X(120, getresgid, sys_getresgid, Full, Free, "") \
  X(121, getpgid, sys_getpgid, Partial, Free, "one process") \
  X(122, setfsuid, sys_setfsuid, Full, Big, "") \
  X(123, setfsgid, sys_setfsgid, Full, Big, "") \
  X(124, getsid, sys_getsid, Partial, Free, "one process") \
  X(125, capget, sys_capget, Full, Free, "") \
  X(126, capset, sys_capset, Full, Big, "") \
  X(127, rt_sigpending, sys_rt_sigpending, Full, Free, "") \
  X(128, rt_sigtimedwait, sys_rt_sigtimedwait, Full, Fine, "") \
  X(130, rt_sigsuspend, sys_rt_sigsuspend, Full, Fine, "") \
  X(131, sigaltstack, sys_sigaltstack, Partial, Free, "SS_AUTODISARM is ignored") \
  X(157, prctl, sys_prctl, Partial, Free, "names, privileges and capabilities only") \
  X(158, arch_prctl, sys_arch_prctl, Partial, Free, "no ARCH_SET_GS, no permission for AMX") \
  X(160, setrlimit, sys_setrlimit, Full, Big, "") \
  X(186, gettid, sys_gettid, Full, Free, "") \
  X(200, tkill, sys_tkill, Partial, Fine, "one thread") \
  X(201, time, sys_time, Full, Free, "") \
  X(204, sched_getaffinity, sys_sched_getaffinity, Full, Free, "") \
  X(218, set_tid_address, sys_set_tid_address, Full, Free, "") \
  X(228, clock_gettime, sys_clock_gettime, Partial, Free, "CPU clocks are wall time; no clocks of other processes") \
  X(229, clock_getres, sys_clock_getres, Partial, Free, "no clocks of other processes") \
  X(230, clock_nanosleep, sys_clock_nanosleep, Partial, Fine, "no CPU clocks; a change of the wall clock is not followed") \
  X(231, exit_group, sys_exit_group, Full, Big, "") \
  X(234, tgkill, sys_tgkill, Partial, Fine, "one thread") \
  X(273, set_robust_list, sys_set_robust_list, Partial, Free, "not walked at exit") \
  X(302, prlimit64, sys_prlimit64, Partial, Free, "of the caller") \
  X(309, getcpu, sys_getcpu, Full, Free, "") \
  X(318, getrandom, sys_getrandom, Full, Free, "")
// clang-format on
