# SPDX-License-Identifier: Apache-2.0
# A file system of which nobody answers any more: who asks it waits, and nobody else does.

# A granted directory whose file "hang" is never answered; $fuse is what serves it.
hanging_bundle() {
  needs_root
  [ -w /dev/fuse ] || skip_case "no /dev/fuse"
  mkdir "$dir/hung"
  "$e2e_dir/programs/hang_fuse" "$dir/hung" "$e2e_dir/rootfs/bin/busybox" &
  fuse=$!
  trap 'kill -9 $fuse; umount -l "$dir/hung"' EXIT
  wait_until [ -e "$dir/hung/quick" ]
  # The file system learns here that closing needs no answer.
  expect_eq "$(cat "$dir/hung/quick")" quick
  make_bundle
  edit --arg source "$dir/hung" '.mounts += [{$source, destination: "/hung", type: "bind", options: ["rbind"]}]'
}

case_others_go_on_and_kill_ends_it() {
  hanging_bundle
  args sh -c 'cat /hung/quick; cat /hung/hang & sleep .2; echo written >/file; cat /file /etc/passwd >/dev/null && echo alive; wait'
  create_it
  start_it
  wait_until grep -q alive "$dir/c.out"
  expect_eq "$(cat "$bundle/rootfs/file")" written
  expect_in c.out quick
  local begun=$EPOCHREALTIME
  rt kill "$id" KILL
  wait_until is_state stopped
  [ $((${EPOCHREALTIME/./} - ${begun/./})) -lt 1000000 ] || fail "the end took more than a second"
  rt delete "$id"
}

case_a_monitor_that_is_killed_meanwhile_leaves_nothing() {
  only runhl "the monitor is ours"
  hanging_bundle
  args sh -c 'cat /hung/hang & sleep .2; echo alive; wait'
  create_it
  start_it
  wait_until grep -q alive "$dir/c.out"
  kill -KILL "$(cat "$dir/pid")"
  wait_until is_state stopped
  rt delete --force "$id"
}

case_who_waits_can_be_killed() {
  hanging_bundle
  args sh -c 'cat /hung/hang & sleep .2; kill -9 $!; wait $!; echo "ended $?"'
  run_it
  expect_status 0
  expect_out 'ended 137'
}

case_many_who_wait_leave_the_others_room() {
  only runhl "the requests of one container have a limit; natively this FUSE connection is the limit"
  hanging_bundle
  args sh -c 'for i in $(seq 70); do cat /hung/hang & done; sleep .5
    echo written >/file; cat /file; kill -9 $(jobs -p); wait; echo "ended $?"'
  run_it
  expect_status 0
  expect_out "$(printf 'written\nended 0')"
}

case_a_program_behind_another_program_runs() {
  hanging_bundle
  args /hung/busybox sh -c '/hung/busybox cat /hung/quick'
  run_it
  expect_status 0
  expect_out quick
}
