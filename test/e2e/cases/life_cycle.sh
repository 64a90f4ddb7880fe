# SPDX-License-Identifier: Apache-2.0
# create, start, state, kill, delete, list: the states and what is refused in each.

case_states_of_a_life() {
  local pid
  make_bundle
  program on_term
  args /bin/on_term handle
  create_it
  expect_eq "$(state_of)" created state
  [ -s "$dir/c.out" ] && fail "the program ran before start"
  pid=$(cat "$dir/pid")
  [ -d "/proc/$pid" ] || fail "pid-file names no process"
  rt state "$id" >"$dir/state"
  expect_eq "$(jq -r '.id, .bundle, .pid' "$dir/state")" "$(printf '%s\n' "$id" "$bundle" "$pid")" "state JSON"
  jq -e '.ociVersion | test("^1\\.")' "$dir/state" >/dev/null || fail "ociVersion"
  start_it
  wait_until grep -q ready "$dir/c.out"
  expect_eq "$(state_of)" running state
  rt kill "$id" TERM || fail kill
  wait_until is_state stopped
  expect_eq "$(rt state "$id" | jq .pid)" 0 "pid of a stopped container:"
  rt delete "$id" || fail delete
  try state "$id"
  expect_status 1
}

case_exit_status_reaches_the_reaper() {
  local code
  make_bundle
  program exit_code fault
  for code in 0 1 42 255; do
    args /bin/exit_code "$code"
    reaped "exit $code"
  done
  args /bin/fault segv
  case $(reap_one) in
    'exit 139' | 'signal 11') ;;
    *) fail "death by SIGSEGV is $(cat "$dir/reaped")" ;;
  esac
}
reap_one() {
  rm -f "$dir/pid"
  "$e2e_dir/programs/subreaper" "$dir/pid" "$dir/reaped" bash -c '
    "$0" --root "$1" create --bundle "$2" --pid-file "$3" "$4" && "$0" --root "$1" start "$4"' \
    "$runtime_bin" "$root" "$bundle" "$dir/pid" "$id" >"$dir/out" 2>"$dir/err" </dev/null || fail "no life"
  rt delete "$id" || fail delete
  cat "$dir/reaped"
}
reaped() { expect_eq "$(reap_one)" "$1" "reaped:"; }

case_kill_with_a_handler() { killed handle TERM 'exit 7'; }
case_kill_by_default_action() {
  # A namespace's pid 1 without a handler does not get a default TERM, on Linux too.
  make_bundle
  program on_term
  args /bin/on_term default
  create_it && start_it
  wait_until grep -q ready "$dir/c.out"
  rt kill "$id" TERM || fail "kill TERM"
  expect_eq "$(state_of)" running state
  rt kill "$id" KILL
  wait_until is_state stopped
  rt delete "$id"
}
case_kill_is_sure() { killed ignore KILL '(exit 137|signal 9)'; }
killed() {  # how signal reaped
  make_bundle
  program on_term
  args /bin/on_term "$1"
  "$e2e_dir/programs/subreaper" "$dir/pid" "$dir/reaped" bash -c '
    "$0" --root "$1" create --bundle "$2" --pid-file "$3" "$4" >"$5" </dev/null && "$0" --root "$1" start "$4"' \
    "$runtime_bin" "$root" "$bundle" "$dir/pid" "$id" "$dir/c.out" &
  wait_until grep -q ready "$dir/c.out"
  rt kill "$id" "$2" || fail "kill $2"
  wait
  grep -qxE "$3" "$dir/reaped" || fail "reaped: $(cat "$dir/reaped"), wanted $3"
  rt delete "$id" || fail delete
}

case_signal_names_and_numbers() {
  local name
  make_bundle
  program signals
  args /bin/signals
  create_it && start_it
  wait_until grep -q ready "$dir/c.out"
  for name in USR1 SIGUSR1 10; do
    : >"$dir/c.out"
    rt kill "$id" "$name" || fail "kill $name"
    wait_until grep -q "got 10" "$dir/c.out"
  done
  try kill "$id" NOSUCH
  [ "$RUNTIME" = crun ] || expect_status 1  # crun 1.8 answers 0
  rt kill "$id" 9
  wait_until is_state stopped
  rt delete "$id"
}

case_run_relays_signals() {
  make_bundle
  program on_term
  args /bin/on_term handle
  # not `rt`: the signal is for the runtime, not for a subshell around it
  "$runtime_bin" --root "$root" run --bundle "$bundle" "$id" </dev/null >"$dir/out" 2>"$dir/err" &
  local run=$!
  wait_until grep -q ready "$dir/out"
  kill -TERM "$run"
  status=0
  wait "$run" || status=$?
  expect_status 7
}

case_kill_of_created() {
  make_bundle
  args sleep 1000
  create_it
  rt kill "$id" KILL || fail kill
  wait_until is_state stopped
  rt delete "$id" || fail delete
}

case_delete_of_created() {
  make_bundle
  args sleep 1000
  create_it
  rt delete "$id" || fail "delete of a created container"
  [ ! -d "/proc/$(cat "$dir/pid")" ] || wait_until test ! -d "/proc/$(cat "$dir/pid")"
}

case_delete_refuses_running() {
  make_bundle
  args sleep 1000
  create_it && start_it
  try delete "$id"
  expect_status 1
  expect_eq "$(state_of)" running state
  try delete --force "$id"
  expect_status 0
}

case_delete_force_of_unknown() {
  only runhl runc "crun says it does not exist"
  try delete --force no-such
  expect_status 0
  expect_out ''
  expect_eq "$(cat "$dir/err")" '' stderr
}

case_unknown_id() {
  local verb
  for verb in state start delete 'kill no-such 9' ps; do
    # shellcheck disable=SC2086
    [ "$verb" = ps ] && continue
    case $verb in kill*) try $verb ;; *) try "$verb" no-such ;; esac
    expect_status 1
    if [ "$RUNTIME" != crun ]; then expect_in err 'does not exist'; fi
  done
}

case_start_twice() {
  make_bundle
  args sleep 1000
  create_it && start_it
  try start "$id"
  expect_status 1
  if [ "$RUNTIME" = runhl ]; then expect_in err 'cannot start'; fi
  force_delete
}

case_kill_of_stopped() {
  make_bundle
  args true
  create_it && start_it
  wait_until is_state stopped
  try kill "$id" TERM
  if [ "$RUNTIME" != crun ]; then
    expect_status 1
    expect_in err 'container not running'
  fi
  [ "$RUNTIME" = crun ] || rt kill --all "$id" 9 || fail "kill --all of a stopped container"
  rt delete "$id"
}

case_list() {
  make_bundle
  args sleep 1000
  create_it
  rt list >"$dir/list" || fail list
  grep -q "^$id .*created" "$dir/list" || fail "list lacks $id"
  expect_eq "$(rt list -q)" "$id" "list -q"
  expect_eq "$(rt list --format json | jq -r '.[0].id')" "$id" "list --format json"
  rt delete "$id"
  expect_eq "$(rt list -q)" '' "list -q"
}

case_pid_file_is_complete() {
  make_bundle
  args sleep 1000
  create_it
  [[ $(cat "$dir/pid") =~ ^[0-9]+$ ]] || fail "pid-file: $(cat "$dir/pid")"
  expect_eq "$(rt state "$id" | jq .pid)" "$(cat "$dir/pid")" pid
  force_delete
}

case_duplicate_id() {
  make_bundle
  args sleep 1000
  create_it
  try create --bundle "$bundle" "$id"
  expect_status 1
  grep -qiE 'exist' "$dir/err" || fail "no word of the id's being taken"
  expect_eq "$(state_of)" created state
  force_delete
}

case_one_of_many_creates_wins() {
  only runhl crun "runc 1.1: all of them can lose"
  local n won=0
  make_bundle
  args sleep 1000
  for n in 1 2 3 4 5 6; do
    (
      rt create --bundle "$bundle" "$id" </dev/null >"$dir/c$n.out" 2>&1
      echo $? >"$dir/c$n.status"
    ) &
  done
  wait
  for n in 1 2 3 4 5 6; do [ "$(cat "$dir/c$n.status")" -ne 0 ] || won=$((won + 1)); done
  expect_eq "$won" 1 "winners:"
  expect_eq "$(state_of)" created state
  force_delete
}

case_run_detached() {
  make_bundle
  args sleep 1000
  rt run --detach --bundle "$bundle" --pid-file "$dir/pid" "$id" </dev/null >"$dir/c.out" 2>"$dir/c.err" || fail run
  expect_eq "$(state_of)" running state
  rt kill "$id" KILL
  wait_until is_state stopped
  rt delete "$id"
}

case_id_is_free_after_delete() {
  local n
  make_bundle
  args true
  for n in 1 2 3; do
    create_it && start_it
    wait_until is_state stopped
    rt delete "$id" || fail "delete $n"
  done
}

# What a dying supervisor leaves: the pid is killed directly, by anyone.
case_pid_killed_directly() {
  make_bundle
  args sleep 1000
  create_it && start_it
  kill -KILL "$(cat "$dir/pid")"
  wait_until is_state stopped
  rt delete "$id" || fail delete
}

case_exit_within_the_state_is_kept_for_late_readers() {
  make_bundle
  args true
  create_it && start_it
  wait_until is_state stopped
  expect_eq "$(rt state "$id" | jq -r .status)" stopped state
  rt delete "$id"
}

case_version() {
  rt --version >"$dir/out" || fail "--version"
  grep -qE "^$RUNTIME version [0-9]" "$dir/out" || fail "first line: $(head -n 1 "$dir/out")"
}

case_spec_runs() {
  make_bundle
  mkdir "$dir/spec"
  (cd "$dir/spec" && rt spec) || fail spec
  jq '.process.terminal = false | .process.args = ["echo", "from spec"]' "$dir/spec/config.json" >"$bundle/config.json"
  run_it
  expect_status 0
  expect_out "from spec"
}

case_features() {
  only runhl "runc 1.1 and crun 1.8 have it, in other words"
  rt features >"$dir/out" 2>"$dir/err" || fail features
  jq -e '.ociVersionMin and .ociVersionMax and (.linux.namespaces | length > 0)' "$dir/out" >/dev/null || fail "features JSON"
  expect_in out cell
}

case_log_file_gets_the_error() {
  make_bundle
  args /no/such
  try --log "$dir/log.json" --log-format json create --bundle "$bundle" "$id"
  expect_status 1
  expect_eq "$(jq -r .level "$dir/log.json" | tail -n 1)" error level
  jq -r .msg "$dir/log.json" | grep -q /no/such || fail "msg: $(cat "$dir/log.json")"
}

case_options_with_and_without_equals() {
  make_bundle
  args true
  try run --bundle="$bundle" --pid-file="$dir/pid" "$id"
  expect_status 0
  [ "$RUNTIME" = crun ] && return 0
  try run -bundle "$bundle" "$id"  # Go's single dash
  expect_status 0
}
