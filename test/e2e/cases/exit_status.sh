# SPDX-License-Identifier: Apache-2.0
# Exit codes and deaths by signal, as runc reports them.

case_exit_codes() {
  local code
  make_bundle
  program exit_code
  for code in 0 1 2 42 125 126 127 128 130 255; do
    args /bin/exit_code "$code"
    run_it
    expect_status "$code"
  done
}

death() {  # kind status
  make_bundle
  program fault
  args /bin/fault "$1"
  run_it
  expect_status "$2"
}
case_segmentation_fault() { death segv 139; }
case_illegal_instruction() { death ill 132; }
case_division_by_zero() { death fpe 136; }
case_noncanonical_address() { death noncanonical 139; }
case_privileged_instruction() { death hlt 139; }
case_executing_data() { death nx 139; }
case_writing_rodata() { death rodata 139; }
# abort's signal does not end a namespace's pid 1; the instruction that libc puts behind it does.
case_abort_of_pid_1() { death abort 139; }

case_abort_of_a_child() {
  make_bundle
  program fault
  args sh -c '/bin/fault abort; echo $?'
  run_it
  expect_in out 134
}

# What the kernel does not deliver to a namespace's pid 1: a default action, sent from inside.
case_pid_1_is_not_killed_from_inside() {
  make_bundle
  args sh -c 'kill -TERM $$; kill -SEGV $$; kill -KILL $$; echo alive'
  run_it
  expect_status 0
  expect_out alive
}

# runc: create and run fail with 1, and the engines turn the texts into 126 and 127.
case_command_not_found() {
  make_bundle
  args no-such-command
  run_it
  expect_status 1
  expect_in err 'no-such-command'
  [ "$RUNTIME" = crun ] || expect_in err 'executable file not found in $PATH'
}

case_path_not_found() {
  make_bundle
  args /no/such/file
  run_it
  expect_status 1
  expect_in err '/no/such/file'
  if [ "$RUNTIME" != crun ]; then expect_in err 'no such file or directory'; fi
}

case_not_executable() {
  make_bundle
  args /etc/passwd
  run_it
  expect_status 1
  grep -qi 'permission denied' "$dir/err" || fail "no permission denied"
}

case_a_directory_is_not_executable() {
  make_bundle
  args /bin
  run_it
  expect_status 1
}

case_shell_says_126_and_127() {
  make_bundle
  args sh -c 'nope'
  run_it
  expect_status 127
  args sh -c '/etc/passwd'
  run_it
  expect_status 126
}

# A program that a shell runs and that dies.
case_child_dies_of_a_signal() {
  make_bundle
  program fault
  args sh -c '/bin/fault segv; echo $?'
  run_it
  expect_status 0
  expect_in out 139
}

# As of any child: what its process used is told to who waits for the runtime. That process has much
# memory to give back, so it ends long after it said so.
case_cpu_time_is_told_at_the_end() {
  local TIMEFORMAT='%U %S'
  make_bundle
  args dd if=/dev/urandom of=/dev/null bs=64M count=1
  { time run_it; } 2>"$dir/used"
  expect_status 0
  awk '{ exit !($1 + $2 > 0.1) }' "$dir/used" || fail "CPU time in seconds: $(cat "$dir/used")"
}
