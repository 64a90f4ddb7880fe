# SPDX-License-Identifier: Apache-2.0
# An outer sandbox that has the seccomp listener: files go over the ring, copied, and all works.

# The runtime under test from here on runs inside one.
inside_a_sandbox() {
  only runhl "the others need no listener"
  local inner=$runtime_bin
  printf '#!/bin/sh\nexec "%s" "%s" "$@"\n' "$e2e_dir/programs/outer_listener" "$inner" >"$dir/sandboxed"
  chmod +x "$dir/sandboxed"
  runtime_bin=$dir/sandboxed
}

case_info_says_so() {
  inside_a_sandbox
  try info
  expect_status 0
  expect_in out "isolation cell: available"
  expect_in out "seccomp listener: no, an outer sandbox has it: files are copied"
}

case_programs_run_and_write() {
  inside_a_sandbox
  make_bundle
  args sh -c 'for i in 1 2 3; do echo $i | cat >>/file; done; cat /file; ls -l /etc/passwd | wc -l; mv /file /other; sync; test -e /file || cat /other | wc -l'
  run_it
  expect_status 0
  expect_out "$(printf '1\n2\n3\n1\n3')"
  expect_eq "$(cat "$bundle/rootfs/other" | tail -n 1)" 3
}

# ENODEV is 19: what others would write could not be seen.
case_mappings_are_copies() {
  inside_a_sandbox
  make_bundle
  program map_file
  echo word >"$bundle/rootfs/file"
  args /bin/map_file /file
  run_it
  expect_status 0
  expect_out "$(printf 'private word\nshared writable errno 19\nshared word')"
}

case_a_life_in_two_halves() {
  inside_a_sandbox
  make_bundle
  args sh -c 'echo begun; sleep 1000'
  create_it
  start_it
  wait_until grep -q begun "$dir/c.out"
  is_state running || fail "state $(state_of)"
  rt kill "$id" KILL
  wait_until is_state stopped
  rt delete "$id" || fail delete
}

case_a_killed_monitor_leaves_nothing() {
  inside_a_sandbox
  make_bundle
  args sh -c 'while :; do cat /etc/passwd >/dev/null; done'
  create_it
  start_it
  kill -KILL "$(cat "$dir/pid")"
  wait_until is_state stopped
  rt delete "$id" || fail delete
}

case_the_switch_does_the_same() {
  only runhl "the switch is ours"
  make_bundle
  edit '.annotations["dev.runhl.map-files"] = "off"'
  args sh -c 'cat /etc/passwd | wc -l'
  rm -f "$dir/log"
  try --debug --log "$dir/log" run --bundle "$bundle" "$id"
  expect_status 0
  grep -q ' reserved_calls 0,' "$dir/log" || fail "a call went to a listener"
  edit '.annotations["dev.runhl.map-files"] = "no"'
  run_it
  expect_status 1
  expect_in err "/annotations/dev.runhl.map-files"
}
