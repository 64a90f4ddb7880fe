# SPDX-License-Identifier: Apache-2.0
# proc, sysfs, devpts, mqueue and cgroup as config.json mounts and restricts them.

case_proc_and_sys_are_filled() {
  make_bundle
  args sh -c 'cat /proc/sys/kernel/ostype && readlink /proc/self/exe && ls /sys/devices/system/cpu/cpu0 | grep -c topology && ls -d /dev/pts /dev/mqueue'
  run_it
  expect_status 0
  expect_out $'Linux\n/bin/busybox\n1\n/dev/mqueue\n/dev/pts'
}


case_readonly_and_masked_paths_hold_in_proc() {
  make_bundle
  edit '.linux.maskedPaths += ["/proc/uptime", "/sys/devices"] | .linux.readonlyPaths = ["/proc/sys"]'
  args sh -c 'cat /proc/uptime; ls /sys/devices; echo 1 >/proc/sys/kernel/shmmni || echo refused; cat /proc/sys/kernel/ostype'
  run_it
  expect_out $'refused\nLinux'
}

case_sysctls_of_ipc_are_seen_inside() {
  needs_root
  make_bundle
  edit '.linux.sysctl = {"kernel.shmmni": "123", "kernel.sem": "1 2 3 4", "fs.mqueue.msg_max": "7"}'
  args sh -c 'cat /proc/sys/kernel/shmmni /proc/sys/kernel/sem /proc/sys/fs/mqueue/msg_max'
  run_it
  expect_status 0
  expect_out $'123\n1\t2\t3\t4\n7'
}

case_a_sysctl_out_of_range_is_refused_at_start() {
  needs_root
  make_bundle
  edit '.linux.sysctl = {"kernel.shmmni": "many"}'
  run_it
  [ "$status" -ne 0 ] || fail "accepted"
  expect_in err shmmni
}

# The shape is version 2's whatever the host has.
case_limits_are_seen_inside() {
  only runhl "the peers show their host"
  make_bundle
  edit '.linux.resources = {memory: {limit: 268435456}, pids: {limit: 77}, cpu: {quota: 50000, period: 100000}}'
  edit '.linux.cgroupsPath = "'"/$e2e_tag/limits"'"'
  needs_root
  needs_cgroup memory
  args sh -c 'cd /sys/fs/cgroup && cat memory.max pids.max cpu.max && grep MemTotal /proc/meminfo && cat /proc/self/cgroup'
  run_it
  expect_status 0
  expect_out $'268435456\n77\n50000 100000\nMemTotal:         262144 kB\n0::/'
}

case_streams_have_names() {
  make_bundle
  args sh -c 'echo one >>/dev/stdout; echo two >>/proc/self/fd/1; echo err >>/dev/stderr'
  run_it
  expect_status 0
  expect_out $'one\ntwo'
  expect_in err err
}
