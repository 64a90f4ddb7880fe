# SPDX-License-Identifier: Apache-2.0
# Several processes in one container: shells and their jobs, and the death of a cell from outside.

case_pipeline_of_ten() {
  make_bundle
  args sh -c 'seq 1 5000 | cat | cat | cat | cat | cat | cat | cat | sort -n | tail -n 1'
  run_it
  expect_status 0
  expect_out 5000
}

case_here_document_and_substitution() {
  make_bundle
  args sh -c 'x=inner; cat <<END
$x $(echo from a child)
END'
  run_it
  expect_out "inner from a child"
}

case_background_jobs_and_wait() {
  make_bundle
  args sh -c 'for n in 3 4 5; do (exit $n) & pids="$pids $!"; done; for p in $pids; do wait $p; echo $?; done'
  run_it
  expect_out "$(printf '3\n4\n5')"
}

case_trap_in_a_child() {
  make_bundle
  args sh -c 'sh -c "trap \"echo got it; exit 9\" TERM; kill -TERM \$\$; sleep 100"; echo $?'
  run_it
  expect_out "$(printf 'got it\n9')"
}

case_a_thousand_commands() {
  make_bundle
  args sh -c 'i=0; while [ $i -lt 1000 ]; do (exit 0) && i=$((i + 1)); done; echo $i'
  run_it
  expect_out 1000
}

case_orphans_go_to_pid_1() {
  make_bundle
  args sh -c 'sh -c "sleep 0.1 & exit 0"; wait; i=0; while kill -0 3 2>/dev/null && [ $i -lt 1000 ]; do wait; i=$((i+1)); sleep 0.01; done; echo done'
  run_it
  expect_out done
}

# A busy loop does not starve another process.
case_busy_processes_take_turns() {
  make_bundle
  args sh -c '(while :; do :; done) & busy=$!; i=0; while [ $i -lt 2000 ]; do i=$((i + 1)); done; kill -9 $busy; wait $busy; echo $i $?'
  run_it
  expect_out "2000 137"
}

case_end_of_pid_1_ends_all() {
  make_bundle
  args sh -c 'sleep 1000 & (while :; do :; done) & exit 5'
  run_it
  expect_status 5
}

case_kill_all_reaches_every_process() {
  only runhl "kill --all is gone from other runtimes, or needs a cgroup"
  make_bundle
  args sh -c 'trap "echo first" TERM
    sh -c "trap \"echo second; exit 2\" TERM; echo ready; while :; do sleep 1000; done" & wait $!; wait $!; exit 3'
  create_it && start_it
  wait_until grep -q ready "$dir/c.out"
  rt kill --all "$id" TERM || fail "kill --all"
  wait_until is_state stopped
  expect_eq "$(sort "$dir/c.out" | tr '\n' ' ')" "first ready second " "said:"
  rt delete "$id"
}

case_fork_bomb_ends_in_an_error() {
  make_bundle '.process.rlimits += [{type: "RLIMIT_NPROC", soft: 30, hard: 30}] | .process.user = {uid: 1000, gid: 1000}
    | .process.capabilities = {}'
  args sh -c 'i=0; while [ $i -lt 60 ]; do sleep 1000 & i=$((i + 1)); done; echo survived'
  run_it
  expect_in err "can't fork"
}

case_pids_limit_is_exact() {
  needs_root
  needs_cgroup pids
  make_bundle '.linux.resources += {pids: {limit: 20}}'
  edit --arg path "/$e2e_tag/$id" '.linux.cgroupsPath = $path'
  args sh -c 'i=0; while :; do sleep 1000 & i=$((i + 1)); echo $i; done'
  run_it
  expect_in err "can't fork"
  expect_eq "$(tail -n 1 "$dir/out")" 19 "processes beside the first:"
}

# The host's pids of the cells beside cell 0 and pid 1's, oldest first.
other_cells() { pgrep -P "$cell0" | tail -n +2; }
has_other_cell() { [ -n "$(other_cells)" ]; }
computes() { [ "$(sed 's/.*) //' "/proc/$1/stat" | cut -d' ' -f12)" -gt 5 ]; } # clock ticks of user time
# Every cell sleeps, and has not run for a while: nothing dies inside the kernel then.
switches() { cat $(pgrep -P "$cell0" | sed 's|.*|/proc/&/status|') | grep ctxt_switches; }
at_rest() {
  local before
  before=$(switches)
  sleep .1
  [ "$(switches)" = "$before" ]
}
start_with_cells() {
  create_it && start_it
  cell0=$(pgrep -P "$(cat "$dir/pid")")
  wait_until has_other_cell
}

case_killed_cell_of_a_sleeping_process() {
  only runhl "other runtimes have no cells"
  local cell0
  make_bundle
  args sh -c 'sleep 1000 & echo started; wait $!; echo $?'
  start_with_cells
  wait_until grep -q started "$dir/c.out"
  wait_until at_rest
  kill -KILL "$(other_cells | tail -n 1)"
  wait_until is_state stopped
  grep -qx 137 "$dir/c.out" || fail "not killed: $(cat "$dir/c.out")"
  rt delete "$id"
}

case_killed_cell_of_a_busy_process() {
  only runhl "other runtimes have no cells"
  local cell0
  make_bundle
  program spin
  args sh -c '/bin/spin & wait $!; echo $?'
  start_with_cells
  wait_until computes "$(other_cells | tail -n 1)"
  kill -KILL "$(other_cells | tail -n 1)"
  wait_until is_state stopped
  grep -qx 137 "$dir/c.out" || fail "not killed: $(cat "$dir/c.out" "$dir/c.err")"
  rt delete "$id"
}

case_killed_cell_of_pid_1() {
  only runhl "other runtimes have no cells"
  local cell0
  make_bundle
  args sh -c 'sleep 1000 & wait'
  start_with_cells
  kill -KILL "$(pgrep -P "$cell0" | head -n 1)"
  wait_until is_state stopped
  rt delete "$id"
}

# Whatever it was doing: the container goes on or ends, never hangs, and leaves nothing.
case_killed_cells_of_a_storm() {
  only runhl "other runtimes have no cells"
  local cell0 round kills tries
  make_bundle
  args sh -c 'i=0; while [ $i -lt 400 ]; do echo $i | cat | cat >/dev/null; i=$((i + 1)); done'
  for round in 1 2 3 4; do
    create_it && start_it
    cell0=$(pgrep -P "$(cat "$dir/pid")")
    kills=0
    for tries in {1..40}; do
      kill -KILL "$(other_cells | tail -n 1)" 2>/dev/null && kills=$((kills + 1))
      [ "$kills" -lt 3 ] || break
    done
    wait_until is_state stopped
    rt delete "$id" || fail "round $round after $kills kills in $tries tries: delete"
  done
}
