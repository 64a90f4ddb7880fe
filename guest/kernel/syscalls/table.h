// SPDX-License-Identifier: Apache-2.0
// The kernel's table of contents: one row a system call, ascending. docs/syscalls.md is printed
// from it. A number without a row answers ENOSYS and is counted.
//
//        nr   name              handler               support  locks  what is missing
// clang-format off
#define RUNHL_SYSCALL_TABLE(X) \
  X(0, read, sys_read, Full, Fine, "") \
  X(1, write, sys_write, Full, Fine, "") \
  X(2, open, sys_open, Full, Fine, "") \
  X(3, close, sys_close, Full, Fine, "") \
  X(4, stat, sys_stat, Full, Fine, "") \
  X(5, fstat, sys_fstat, Full, Fine, "") \
  X(6, lstat, sys_lstat, Full, Fine, "") \
  X(7, poll, sys_poll, Full, Fine, "") \
  X(8, lseek, sys_lseek, Full, Fine, "") \
  X(9, mmap, sys_mmap, Partial, Fine, "MAP_HUGETLB finds no huge pages") \
  X(10, mprotect, sys_mprotect, Full, Fine, "") \
  X(11, munmap, sys_munmap, Full, Fine, "") \
  X(12, brk, sys_brk, Full, Fine, "") \
  X(13, rt_sigaction, sys_rt_sigaction, Full, Fine, "") \
  X(14, rt_sigprocmask, sys_rt_sigprocmask, Full, Fine, "") \
  X(15, rt_sigreturn, sys_rt_sigreturn, Full, Free, "") \
  X(16, ioctl, sys_ioctl, Partial, Fine, "descriptor flags and FIONREAD") \
  X(17, pread64, sys_pread64, Full, Fine, "") \
  X(18, pwrite64, sys_pwrite64, Full, Fine, "") \
  X(19, readv, sys_readv, Full, Fine, "") \
  X(20, writev, sys_writev, Full, Fine, "") \
  X(21, access, sys_access, Full, Fine, "") \
  X(22, pipe, sys_pipe, Full, Fine, "") \
  X(23, select, sys_select, Full, Fine, "") \
  X(24, sched_yield, sys_sched_yield, Full, Fine, "") \
  X(25, mremap, sys_mremap, Full, Fine, "") \
  X(26, msync, sys_msync, Full, Fine, "") \
  X(27, mincore, sys_mincore, Partial, Fine, "every mapped page of a host file counts as resident") \
  X(28, madvise, sys_madvise, Partial, Fine, "MADV_COLLAPSE, guard regions; MADV_REMOVE of memory of ours alone") \
  X(29, shmget, sys_shmget, Partial, Fine, "SHM_HUGETLB finds no huge pages") \
  X(30, shmat, sys_shmat, Full, Fine, "") \
  X(31, shmctl, sys_shmctl, Partial, Fine, "every page counts as resident; nothing is pinned on the host") \
  X(32, dup, sys_dup, Full, Fine, "") \
  X(33, dup2, sys_dup2, Full, Fine, "") \
  X(34, pause, sys_pause, Full, Fine, "") \
  X(35, nanosleep, sys_nanosleep, Full, Fine, "") \
  X(36, getitimer, sys_getitimer, Full, Fine, "") \
  X(37, alarm, sys_alarm, Full, Fine, "") \
  X(38, setitimer, sys_setitimer, Full, Fine, "") \
  X(39, getpid, sys_getpid, Full, Free, "") \
  X(40, sendfile, sys_sendfile, Full, Fine, "") \
  X(41, socket, sys_socket, Partial, Fine, "AF_UNIX only") \
  X(42, connect, sys_connect, Full, Fine, "") \
  X(43, accept, sys_accept, Full, Fine, "") \
  X(44, sendto, sys_sendto, Partial, Fine, "MSG_OOB") \
  X(45, recvfrom, sys_recvfrom, Partial, Fine, "MSG_OOB") \
  X(46, sendmsg, sys_sendmsg, Partial, Fine, "MSG_OOB") \
  X(47, recvmsg, sys_recvmsg, Partial, Fine, "MSG_OOB") \
  X(48, shutdown, sys_shutdown, Full, Fine, "") \
  X(49, bind, sys_bind, Full, Fine, "") \
  X(50, listen, sys_listen, Full, Fine, "") \
  X(51, getsockname, sys_getsockname, Full, Fine, "") \
  X(52, getpeername, sys_getpeername, Full, Fine, "") \
  X(53, socketpair, sys_socketpair, Partial, Fine, "AF_UNIX only") \
  X(54, setsockopt, sys_setsockopt, Partial, Fine, "socket level; options of other families") \
  X(55, getsockopt, sys_getsockopt, Partial, Fine, "socket level; options of other families") \
  X(56, clone, sys_clone, Partial, Fine, "namespaces") \
  X(57, fork, sys_fork, Full, Fine, "") \
  X(58, vfork, sys_vfork, Full, Fine, "") \
  X(59, execve, sys_execve, Partial, Fine, "an unreadable program, where the ceiling cannot read it") \
  X(60, exit, sys_exit, Full, Fine, "") \
  X(61, wait4, sys_wait4, Partial, Fine, "usage: CPU time only") \
  X(62, kill, sys_kill, Full, Fine, "") \
  X(63, uname, sys_uname, Full, Free, "") \
  X(64, semget, sys_semget, Full, Fine, "") \
  X(65, semop, sys_semop, Full, Fine, "") \
  X(66, semctl, sys_semctl, Full, Fine, "") \
  X(67, shmdt, sys_shmdt, Full, Fine, "") \
  X(68, msgget, sys_msgget, Full, Fine, "") \
  X(69, msgsnd, sys_msgsnd, Full, Fine, "") \
  X(70, msgrcv, sys_msgrcv, Full, Fine, "") \
  X(71, msgctl, sys_msgctl, Full, Fine, "") \
  X(72, fcntl, sys_fcntl, Partial, Fine, "leases, F_NOTIFY") \
  X(73, flock, sys_flock, Full, Fine, "") \
  X(74, fsync, sys_fsync, Full, Fine, "") \
  X(75, fdatasync, sys_fdatasync, Full, Fine, "") \
  X(76, truncate, sys_truncate, Full, Fine, "") \
  X(77, ftruncate, sys_ftruncate, Full, Fine, "") \
  X(78, getdents, sys_getdents, Full, Fine, "") \
  X(79, getcwd, sys_getcwd, Full, Fine, "") \
  X(80, chdir, sys_chdir, Full, Fine, "") \
  X(81, fchdir, sys_fchdir, Full, Fine, "") \
  X(82, rename, sys_rename, Full, Fine, "") \
  X(83, mkdir, sys_mkdir, Full, Fine, "") \
  X(84, rmdir, sys_rmdir, Full, Fine, "") \
  X(85, creat, sys_creat, Full, Fine, "") \
  X(86, link, sys_link, Full, Fine, "") \
  X(87, unlink, sys_unlink, Full, Fine, "") \
  X(88, symlink, sys_symlink, Full, Fine, "") \
  X(89, readlink, sys_readlink, Full, Fine, "") \
  X(90, chmod, sys_chmod, Full, Fine, "") \
  X(91, fchmod, sys_fchmod, Full, Fine, "") \
  X(92, chown, sys_chown, Full, Fine, "") \
  X(93, fchown, sys_fchown, Full, Fine, "") \
  X(94, lchown, sys_lchown, Full, Fine, "") \
  X(95, umask, sys_umask, Full, Fine, "") \
  X(96, gettimeofday, sys_gettimeofday, Full, Free, "") \
  X(97, getrlimit, sys_getrlimit, Full, Free, "") \
  X(98, getrusage, sys_getrusage, Partial, Fine, "CPU time only; calls at rewritten sites count as user time") \
  X(99, sysinfo, sys_sysinfo, Partial, Free, "no load, swap or buffers") \
  X(100, times, sys_times, Partial, Fine, "calls at rewritten sites count as user time") \
  X(102, getuid, sys_getuid, Full, Free, "") \
  X(104, getgid, sys_getgid, Full, Free, "") \
  X(105, setuid, sys_setuid, Full, Big, "") \
  X(106, setgid, sys_setgid, Full, Big, "") \
  X(107, geteuid, sys_geteuid, Full, Free, "") \
  X(108, getegid, sys_getegid, Full, Free, "") \
  X(109, setpgid, sys_setpgid, Full, Big, "") \
  X(110, getppid, sys_getppid, Full, Free, "") \
  X(111, getpgrp, sys_getpgrp, Full, Free, "") \
  X(112, setsid, sys_setsid, Full, Big, "") \
  X(113, setreuid, sys_setreuid, Full, Big, "") \
  X(114, setregid, sys_setregid, Full, Big, "") \
  X(115, getgroups, sys_getgroups, Full, Free, "") \
  X(116, setgroups, sys_setgroups, Partial, Big, "at most 64 groups") \
  X(117, setresuid, sys_setresuid, Full, Big, "") \
  X(118, getresuid, sys_getresuid, Full, Free, "") \
  X(119, setresgid, sys_setresgid, Full, Big, "") \
  X(120, getresgid, sys_getresgid, Full, Free, "") \
  X(121, getpgid, sys_getpgid, Full, Free, "") \
  X(122, setfsuid, sys_setfsuid, Full, Big, "") \
  X(123, setfsgid, sys_setfsgid, Full, Big, "") \
  X(124, getsid, sys_getsid, Full, Free, "") \
  X(125, capget, sys_capget, Full, Free, "") \
  X(126, capset, sys_capset, Full, Big, "") \
  X(127, rt_sigpending, sys_rt_sigpending, Full, Free, "") \
  X(128, rt_sigtimedwait, sys_rt_sigtimedwait, Full, Fine, "") \
  X(129, rt_sigqueueinfo, sys_rt_sigqueueinfo, Full, Fine, "") \
  X(130, rt_sigsuspend, sys_rt_sigsuspend, Full, Fine, "") \
  X(131, sigaltstack, sys_sigaltstack, Full, Free, "") \
  X(132, utime, sys_utime, Full, Fine, "") \
  X(133, mknod, sys_mknod, Full, Fine, "") \
  X(137, statfs, sys_statfs, Full, Fine, "") \
  X(138, fstatfs, sys_fstatfs, Full, Fine, "") \
  X(140, getpriority, sys_getpriority, Full, Fine, "") \
  X(141, setpriority, sys_setpriority, Partial, Fine, "kept and reported; all programs have one weight") \
  X(142, sched_setparam, sys_sched_setparam, Partial, Fine, "kept and reported; all programs have one weight") \
  X(143, sched_getparam, sys_sched_getparam, Full, Fine, "") \
  X(144, sched_setscheduler, sys_sched_setscheduler, Partial, Fine, "kept and reported; all programs have one weight") \
  X(145, sched_getscheduler, sys_sched_getscheduler, Full, Fine, "") \
  X(146, sched_get_priority_max, sys_sched_get_priority_max, Full, Free, "") \
  X(147, sched_get_priority_min, sys_sched_get_priority_min, Full, Free, "") \
  X(148, sched_rr_get_interval, sys_sched_rr_get_interval, Full, Fine, "") \
  X(149, mlock, sys_mlock, Partial, Fine, "limits and populating; nothing is pinned on the host") \
  X(150, munlock, sys_munlock, Full, Fine, "") \
  X(151, mlockall, sys_mlockall, Partial, Fine, "limits and populating; nothing is pinned on the host") \
  X(152, munlockall, sys_munlockall, Full, Fine, "") \
  X(157, prctl, sys_prctl, Partial, Free, "names, privileges and capabilities only") \
  X(158, arch_prctl, sys_arch_prctl, Partial, Free, "no ARCH_SET_GS, no permission for AMX") \
  X(159, adjtimex, sys_adjtimex, Partial, Free, "reads; no program may adjust") \
  X(160, setrlimit, sys_setrlimit, Full, Big, "") \
  X(161, chroot, sys_chroot, Full, Fine, "") \
  X(162, sync, sys_sync, Partial, Fine, "the host decides when") \
  X(164, settimeofday, sys_settimeofday, Partial, Free, "no program may set the clock") \
  X(165, mount, sys_mount, Partial, Fine, "refused: the mount tree is made at boot") \
  X(166, umount2, sys_umount2, Partial, Fine, "refused: the mount tree is made at boot") \
  X(186, gettid, sys_gettid, Full, Free, "") \
  X(187, readahead, sys_readahead, Partial, Fine, "checked; the host reads ahead by itself") \
  X(188, setxattr, sys_setxattr, Full, Fine, "") \
  X(189, lsetxattr, sys_lsetxattr, Full, Fine, "") \
  X(190, fsetxattr, sys_fsetxattr, Full, Fine, "") \
  X(191, getxattr, sys_getxattr, Full, Fine, "") \
  X(192, lgetxattr, sys_lgetxattr, Full, Fine, "") \
  X(193, fgetxattr, sys_fgetxattr, Full, Fine, "") \
  X(194, listxattr, sys_listxattr, Full, Fine, "") \
  X(195, llistxattr, sys_llistxattr, Full, Fine, "") \
  X(196, flistxattr, sys_flistxattr, Full, Fine, "") \
  X(197, removexattr, sys_removexattr, Full, Fine, "") \
  X(198, lremovexattr, sys_lremovexattr, Full, Fine, "") \
  X(199, fremovexattr, sys_fremovexattr, Full, Fine, "") \
  X(200, tkill, sys_tkill, Full, Fine, "") \
  X(201, time, sys_time, Full, Free, "") \
  X(202, futex, sys_futex, Partial, Fine, "cycles of PI locks are not detected") \
  X(203, sched_setaffinity, sys_sched_setaffinity, Partial, Fine, "one CPU; checked and kept, nothing to move") \
  X(204, sched_getaffinity, sys_sched_getaffinity, Full, Fine, "") \
  X(213, epoll_create, sys_epoll_create, Full, Fine, "") \
  X(216, remap_file_pages, sys_remap_file_pages, Full, Fine, "") \
  X(217, getdents64, sys_getdents64, Full, Fine, "") \
  X(218, set_tid_address, sys_set_tid_address, Full, Free, "") \
  X(219, restart_syscall, sys_restart_syscall, Full, Fine, "") \
  X(220, semtimedop, sys_semtimedop, Full, Fine, "") \
  X(221, fadvise64, sys_fadvise64, Partial, Fine, "checked; the host reads ahead by itself") \
  X(222, timer_create, sys_timer_create, Partial, Fine, "no alarm clocks; a set wall clock is not followed") \
  X(223, timer_settime, sys_timer_settime, Full, Fine, "") \
  X(224, timer_gettime, sys_timer_gettime, Full, Fine, "") \
  X(225, timer_getoverrun, sys_timer_getoverrun, Full, Fine, "") \
  X(226, timer_delete, sys_timer_delete, Full, Fine, "") \
  X(227, clock_settime, sys_clock_settime, Partial, Fine, "no program may set a clock") \
  X(228, clock_gettime, sys_clock_gettime, Full, Fine, "") \
  X(229, clock_getres, sys_clock_getres, Full, Fine, "") \
  X(230, clock_nanosleep, sys_clock_nanosleep, Partial, Fine, "a change of the wall clock is not followed") \
  X(231, exit_group, sys_exit_group, Full, Fine, "") \
  X(232, epoll_wait, sys_epoll_wait, Full, Fine, "") \
  X(233, epoll_ctl, sys_epoll_ctl, Full, Fine, "") \
  X(234, tgkill, sys_tgkill, Full, Fine, "") \
  X(235, utimes, sys_utimes, Full, Fine, "") \
  X(237, mbind, sys_mbind, Partial, Fine, "one node: without an effect, not remembered") \
  X(238, set_mempolicy, sys_set_mempolicy, Partial, Free, "one node: without an effect") \
  X(239, get_mempolicy, sys_get_mempolicy, Partial, Fine, "policies of mbind") \
  X(240, mq_open, sys_mq_open, Full, Fine, "") \
  X(241, mq_unlink, sys_mq_unlink, Full, Fine, "") \
  X(242, mq_timedsend, sys_mq_timedsend, Full, Fine, "") \
  X(243, mq_timedreceive, sys_mq_timedreceive, Full, Fine, "") \
  X(244, mq_notify, sys_mq_notify, Partial, Fine, "SIGEV_THREAD, which needs a netlink socket") \
  X(245, mq_getsetattr, sys_mq_getsetattr, Full, Fine, "") \
  X(247, waitid, sys_waitid, Partial, Fine, "usage: CPU time only") \
  X(251, ioprio_set, sys_ioprio_set, Partial, Fine, "kept and reported; all programs have one weight") \
  X(252, ioprio_get, sys_ioprio_get, Full, Fine, "") \
  X(253, inotify_init, sys_inotify_init, Partial, Fine, "what the host and other containers change") \
  X(254, inotify_add_watch, sys_inotify_add_watch, Partial, Fine, "what the host and other containers change") \
  X(255, inotify_rm_watch, sys_inotify_rm_watch, Partial, Fine, "what the host and other containers change") \
  X(256, migrate_pages, sys_migrate_pages, Full, Fine, "") \
  X(257, openat, sys_openat, Full, Fine, "") \
  X(258, mkdirat, sys_mkdirat, Full, Fine, "") \
  X(259, mknodat, sys_mknodat, Full, Fine, "") \
  X(260, fchownat, sys_fchownat, Full, Fine, "") \
  X(262, newfstatat, sys_newfstatat, Full, Fine, "") \
  X(263, unlinkat, sys_unlinkat, Full, Fine, "") \
  X(264, renameat, sys_renameat, Full, Fine, "") \
  X(265, linkat, sys_linkat, Full, Fine, "") \
  X(266, symlinkat, sys_symlinkat, Full, Fine, "") \
  X(267, readlinkat, sys_readlinkat, Full, Fine, "") \
  X(268, fchmodat, sys_fchmodat, Full, Fine, "") \
  X(269, faccessat, sys_faccessat, Full, Fine, "") \
  X(270, pselect6, sys_pselect6, Full, Fine, "") \
  X(271, ppoll, sys_ppoll, Full, Fine, "") \
  X(272, unshare, sys_unshare, Partial, Fine, "namespaces") \
  X(273, set_robust_list, sys_set_robust_list, Full, Free, "") \
  X(274, get_robust_list, sys_get_robust_list, Full, Fine, "") \
  X(275, splice, sys_splice, Full, Fine, "") \
  X(276, tee, sys_tee, Full, Fine, "") \
  X(277, sync_file_range, sys_sync_file_range, Full, Fine, "") \
  X(278, vmsplice, sys_vmsplice, Partial, Fine, "bytes are copied, not shared") \
  X(279, move_pages, sys_move_pages, Partial, Fine, "own process only") \
  X(280, utimensat, sys_utimensat, Full, Fine, "") \
  X(281, epoll_pwait, sys_epoll_pwait, Full, Fine, "") \
  X(282, signalfd, sys_signalfd, Full, Fine, "") \
  X(283, timerfd_create, sys_timerfd_create, Partial, Fine, "a clock set outside is noticed at the next expiry") \
  X(284, eventfd, sys_eventfd, Full, Fine, "") \
  X(285, fallocate, sys_fallocate, Full, Fine, "") \
  X(286, timerfd_settime, sys_timerfd_settime, Partial, Fine, "a clock set outside is noticed at the next expiry") \
  X(287, timerfd_gettime, sys_timerfd_gettime, Full, Fine, "") \
  X(288, accept4, sys_accept4, Full, Fine, "") \
  X(289, signalfd4, sys_signalfd4, Full, Fine, "") \
  X(290, eventfd2, sys_eventfd2, Full, Fine, "") \
  X(291, epoll_create1, sys_epoll_create1, Full, Fine, "") \
  X(292, dup3, sys_dup3, Full, Fine, "") \
  X(293, pipe2, sys_pipe2, Full, Fine, "") \
  X(294, inotify_init1, sys_inotify_init1, Partial, Fine, "what the host and other containers change") \
  X(295, preadv, sys_preadv, Full, Fine, "") \
  X(296, pwritev, sys_pwritev, Full, Fine, "") \
  X(297, rt_tgsigqueueinfo, sys_rt_tgsigqueueinfo, Full, Fine, "") \
  X(299, recvmmsg, sys_recvmmsg, Full, Fine, "") \
  X(302, prlimit64, sys_prlimit64, Partial, Free, "of the caller") \
  X(303, name_to_handle_at, sys_name_to_handle_at, Partial, Fine, "always EOPNOTSUPP") \
  X(304, open_by_handle_at, sys_open_by_handle_at, Partial, Fine, "always EPERM") \
  X(305, clock_adjtime, sys_clock_adjtime, Partial, Free, "reads; no program may adjust") \
  X(306, syncfs, sys_syncfs, Full, Fine, "") \
  X(307, sendmmsg, sys_sendmmsg, Full, Fine, "") \
  X(309, getcpu, sys_getcpu, Full, Free, "") \
  X(310, process_vm_readv, sys_process_vm_readv, Partial, Fine, "own process only") \
  X(311, process_vm_writev, sys_process_vm_writev, Partial, Fine, "own process only") \
  X(314, sched_setattr, sys_sched_setattr, Partial, Fine, "kept and reported; all programs have one weight") \
  X(315, sched_getattr, sys_sched_getattr, Full, Fine, "") \
  X(316, renameat2, sys_renameat2, Full, Fine, "") \
  X(318, getrandom, sys_getrandom, Full, Free, "") \
  X(319, memfd_create, sys_memfd_create, Partial, Fine, "MFD_HUGETLB; F_SEAL_WRITE does not look for mappings") \
  X(322, execveat, sys_execveat, Full, Fine, "") \
  X(324, membarrier, sys_membarrier, Full, Free, "") \
  X(325, mlock2, sys_mlock2, Partial, Fine, "limits and populating; nothing is pinned on the host") \
  X(326, copy_file_range, sys_copy_file_range, Full, Fine, "") \
  X(327, preadv2, sys_preadv2, Partial, Fine, "RWF_NOWAIT, RWF_ATOMIC") \
  X(328, pwritev2, sys_pwritev2, Partial, Fine, "RWF_NOWAIT, RWF_ATOMIC") \
  X(329, pkey_mprotect, sys_pkey_mprotect, Full, Fine, "as on a CPU without protection keys") \
  X(330, pkey_alloc, sys_pkey_alloc, Full, Free, "as on a CPU without protection keys") \
  X(331, pkey_free, sys_pkey_free, Full, Free, "as on a CPU without protection keys") \
  X(332, statx, sys_statx, Full, Fine, "") \
  X(334, rseq, sys_rseq, Full, Fine, "") \
  X(424, pidfd_send_signal, sys_pidfd_send_signal, Full, Fine, "") \
  X(434, pidfd_open, sys_pidfd_open, Full, Fine, "") \
  X(435, clone3, sys_clone3, Partial, Fine, "namespaces, cgroups, chosen ids") \
  X(436, close_range, sys_close_range, Full, Fine, "") \
  X(438, pidfd_getfd, sys_pidfd_getfd, Full, Fine, "") \
  X(439, faccessat2, sys_faccessat2, Full, Fine, "") \
  X(441, epoll_pwait2, sys_epoll_pwait2, Full, Fine, "") \
  X(449, futex_waitv, sys_futex_waitv, Full, Fine, "") \
  X(452, fchmodat2, sys_fchmodat2, Full, Fine, "")
// clang-format on
