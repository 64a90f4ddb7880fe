# SPDX-License-Identifier: Apache-2.0
# pause and resume, and what a paused container still does. On cgroup v1's freezer.

paused_bundle() {  # what runs
  needs_root
  needs_cgroup freezer
  make_bundle
  program on_term
  args "$@"
  edit --arg path "/$e2e_tag/$id" '.linux.cgroupsPath = $path'
}
ready() { grep -q ready "$dir/c.out"; }
ticks() { grep -c tick "$dir/c.out"; }
ticked_on() { [ "$(ticks)" -gt "$1" ]; }

refused() {  # verb
  [ "$RUNTIME" != crun ] || return 0  # which says nothing
  try "$1" "$id"
  expect_status 1
}

case_nothing_runs_while_paused() {
  local before
  paused_bundle sh -c 'while :; do echo tick; usleep 20000; done'
  create_it
  start_it
  wait_until ticked_on 3
  rt pause "$id" || fail pause
  is_state paused || fail "the state is $(state_of)"
  before=$(ticks)
  sleep .3
  [ "$(ticks)" -le $((before + 1)) ] || fail "it goes on: $before, then $(ticks)"
  rt list | grep -qE "^$id .* paused " || fail "list: $(rt list)"
  refused pause
  rt resume "$id" || fail resume
  is_state running || fail "the state is $(state_of)"
  wait_until ticked_on $((before + 3))
  refused resume
  force_delete
}

case_a_signal_waits_for_the_resume() {
  paused_bundle /bin/on_term handle
  create_it
  start_it
  wait_until ready
  rt pause "$id" || fail pause
  rt kill "$id" TERM || fail "kill TERM"
  is_state paused || fail "the state is $(state_of)"
  rt resume "$id" || fail resume
  wait_until is_state stopped
  rt delete "$id" || fail delete
}

case_kill_does_not_wait() {
  only runhl runc "crun 1.8 leaves a frozen one frozen"
  paused_bundle /bin/on_term ignore
  create_it
  start_it
  wait_until ready
  rt pause "$id" || fail pause
  rt kill "$id" KILL || fail "kill KILL"
  wait_until is_state stopped
  rt delete "$id" || fail delete
}

case_delete_of_a_paused_one() {
  paused_bundle /bin/on_term ignore
  create_it
  start_it
  wait_until ready
  rt pause "$id" || fail pause
  try delete "$id"
  expect_status 1
  is_state paused || fail "the state is $(state_of)"
  rt delete --force "$id" || fail "delete --force"
}

case_monitor_killed_while_paused() {
  only runhl "about its monitor"
  paused_bundle /bin/on_term ignore
  create_it
  start_it
  wait_until ready
  rt pause "$id" || fail pause
  kill -KILL "$(cat "$dir/pid")"
  wait_until is_state stopped
  rt delete "$id" || fail delete
}

case_a_created_one_is_paused() {
  only runhl runc "crun calls it created"
  paused_bundle /bin/on_term handle
  create_it
  rt pause "$id" || fail pause
  is_state paused || fail "the state is $(state_of)"
  try start "$id"
  expect_status 1
  expect_in err "cannot start a container in the paused state"
  rt resume "$id" || fail resume
  is_state created || fail "the state is $(state_of)"
  start_it
  wait_until ready
  force_delete
}

case_pause_without_control_groups_is_refused() {
  only runhl "it alone runs without them"
  make_bundle
  args sleep 1000
  create_it
  try pause "$id"
  expect_status 1
  expect_one_line_error "no control group"
  force_delete
}

case_pause_of_no_container() {
  local verb
  for verb in pause resume; do
    try $verb nobody
    expect_status 1
  done
}
