# SPDX-License-Identifier: Apache-2.0
# Three distinct streams, passed unchanged.

case_stdin_is_piped() {
  make_bundle
  steps line 'count -'
  { echo first && head -c 100000 /dev/zero; } >"$dir/in"
  stdin=$dir/in
  run_it
  expect_status 0
  expect_out $'first\n100000'
}

case_stdin_from_a_real_pipe() {
  make_bundle
  args sha256sum
  status=0
  seq 1 200000 | rt run --bundle "$bundle" "$id" >"$dir/out" 2>"$dir/err" || status=$?
  expect_status 0
  expect_out "$(seq 1 200000 | sha256sum)"
}

case_empty_stdin() {
  make_bundle
  steps 'count -' 'say done'
  run_it
  expect_out $'0\ndone'
}

case_stdout_and_stderr_are_apart() {
  make_bundle
  args sh -c 'echo to out; echo to err >&2'
  run_it
  expect_status 0
  expect_out "to out"
  expect_eq "$(cat "$dir/err")" "to err" stderr
}

case_output_beside_a_busy_program() {
  make_bundle
  program spin
  args sh -c '/bin/spin & echo one; echo two; kill -9 $!; echo three'
  run_it
  expect_status 0
  expect_out $'one\ntwo\nthree'
}

case_big_output() {
  local wanted
  make_bundle
  program big_output
  wanted=$("$e2e_dir/programs/big_output" 10485760 | sha256sum)
  args /bin/big_output 10485760
  expect_eq "$(rt run --bundle "$bundle" "$id" </dev/null 2>"$dir/err" | sha256sum)" "$wanted" hash
  args /bin/big_output 3000000 2
  wanted=$("$e2e_dir/programs/big_output" 3000000 | sha256sum)
  expect_eq "$({ rt run --bundle "$bundle" "$id" </dev/null >/dev/null; } 2>&1 | sha256sum)" "$wanted" "hash of stderr"
}

case_output_to_one_file_keeps_its_order() {
  only runhl crun "runc's run copies the two streams through two pipes"
  make_bundle
  args sh -c 'echo one; echo two >&2; echo three'
  echo zero >"$dir/both"
  rt run --bundle "$bundle" "$id" </dev/null >>"$dir/both" 2>&1 || fail run
  expect_eq "$(cat "$dir/both")" $'zero\none\ntwo\nthree'
}

# A reader that goes away: SIGPIPE or EPIPE, never a hang.
case_reader_goes_away() {
  make_bundle
  args sh -c 'while echo line; do :; done 2>/dev/null; exit 5'
  rt run --bundle "$bundle" "$id" </dev/null 2>"$dir/err" | head -n 3 >"$dir/out"
  expect_out $'line\nline\nline'
}

case_closed_stdin() {
  only runhl runc "crun 1.8: fchown std stream 0: Bad file descriptor"
  make_bundle
  args sh -c 'echo fine'
  status=0
  rt run --bundle "$bundle" "$id" <&- >"$dir/out" 2>"$dir/err" || status=$?
  expect_status 0
  expect_out fine
}

# Engines read the verb's pipe to its end: a life must not hold it.
case_start_does_not_hold_its_streams() {
  make_bundle
  args sleep 1000
  create_it
  # `cat` ends only when every holder of the pipe is gone.
  rt start "$id" 2>&1 </dev/null | timeout 5 cat >"$dir/start.out" || fail "start holds its output"
  rt kill "$id" KILL
  wait_until is_state stopped
  rt delete "$id" 2>&1 | timeout 5 cat >/dev/null || fail "delete holds its output"
}
