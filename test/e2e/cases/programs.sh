# SPDX-License-Identifier: Apache-2.0
# Small static programs that check from inside what a kernel owes them. They pass on Linux first.

inside() {  # program args…
  make_bundle
  program "$1"
  "$e2e_dir/programs/$1" "${@:2}" >/dev/null || fail "$1 fails on this machine's own kernel"
  args "/bin/$1" "${@:2}"
  run_it
  expect_status 0
}
case_system_calls_keep_registers() { inside registers; }
case_memory_is_there() { inside touch_pages 64; }
case_memory_calls() { inside memory; }
case_calls_in_code_of_every_shape() { inside call_sites; }
case_hot_calls() { inside hot_calls 1; }
case_files_that_are_read_again() {
  make_bundle
  program read_again
  "$e2e_dir/programs/read_again" "$dir/file" || fail "read_again fails on this machine's own kernel"
  args /bin/read_again /file
  run_it
  expect_status 0
}

case_auxiliary_vector() {
  local first
  inside auxv
  first=$(cat "$dir/out")
  run_it
  [ "$(cat "$dir/out")" != "$first" ] || fail "AT_RANDOM is the same twice"
}

case_addresses_are_randomised() {
  local n
  make_bundle
  program show_addresses
  args /bin/show_addresses
  for n in 1 2 3; do
    run_it
    expect_status 0
    cat "$dir/out" >>"$dir/seen"
  done
  expect_eq "$(grep -c stack "$dir/seen")" 3
  [ "$(sort -u "$dir/seen" | grep -c '^stack')" -gt 1 ] || fail "stack"
  [ "$(sort -u "$dir/seen" | grep -c '^mmap')" -gt 1 ] || fail "mmap"
}

# The ways into and out of the kernel, interrupted at every instruction. The program's own system
# calls, traps and vectors are checked meanwhile; the signals come faster than they can be handled.
case_a_storm_of_ticks_damages_nothing() {
  only runhl "cells alone are interrupted by SIGALRM"
  local cell0 cell
  make_bundle
  program registers
  args /bin/registers 100000000
  create_it
  cell0=$(pgrep -P "$(cat "$dir/pid")")
  start_it
  wait_until pgrep -P "$cell0"
  cell=$(pgrep -P "$cell0")
  "$e2e_dir/programs/alarm_storm" "$cell" 1500 >"$dir/out" 2>&1 || fail "the cell died"
  "$e2e_dir/programs/alarm_storm" "$cell0" 200 >"$dir/out" 2>&1 || fail "cell 0 died"
  [ ! -s "$dir/c.out" ] || fail "damage under fire"
  is_state running || fail "it ended"
  rt kill "$id" KILL
  wait_until is_state stopped
  rt delete "$id"
}
