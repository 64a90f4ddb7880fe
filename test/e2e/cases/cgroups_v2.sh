# SPDX-License-Identifier: Apache-2.0
# Placement, freezer and end on the unified tree. Where version 1 has the controllers, that tree is
# shown alone, and has no controllers: what needs one is refused by name.

# The runtime sees version 2 alone; $v2 is where we see it.
on_v2() {
  needs_root
  v2=/sys/fs/cgroup
  if [ ! -f "$v2/cgroup.procs" ]; then
    v2=/sys/fs/cgroup/unified
    [ -f "$v2/cgroup.procs" ] || skip_case "no cgroup v2 tree"
    mkdir "$dir/v2"
    cat >"$dir/on_v2" <<END
#!/bin/sh
exec unshare --mount --propagation private sh -c '
  mount -n --bind $v2 $dir/v2 && umount -n -l -R /sys/fs/cgroup &&
  mount -n --move $dir/v2 /sys/fs/cgroup && exec $runtime_bin "\$@"' sh "\$@"
END
    chmod +x "$dir/on_v2"
    runtime_bin=$dir/on_v2
  fi
  make_bundle
  edit --arg path "/$e2e_tag/$id" '.linux.cgroupsPath = $path'
}
group_of() { sed -n 's/^0:://p' "/proc/$1/cgroup"; }
ticks() { grep -c tick "$dir/c.out"; }
ticked_on() { [ "$(ticks)" -gt "$1" ]; }

case_placement_and_removal() {
  on_v2
  args sleep 1000
  create_it
  start_it
  case $(group_of "$(cat "$dir/pid")") in
    "/$e2e_tag/$id" | "/$e2e_tag/$id"/*) ;;
    *) fail "the group is $(group_of "$(cat "$dir/pid")")" ;;
  esac
  if [ "$RUNTIME" = runhl ]; then
    case $(group_of "$(pgrep -P "$(cat "$dir/pid")")") in
      "/$e2e_tag/$id"/?*) ;;
      *) fail "cell 0 is not in a group below" ;;
    esac
  fi
  rt kill "$id" KILL
  wait_until is_state stopped
  rt delete "$id" || fail delete
  [ ! -e "$v2/$e2e_tag/$id" ] || fail "the group is still there"
}

case_nothing_runs_while_paused() {
  local before
  on_v2
  args sh -c 'while :; do echo tick; usleep 20000; done'
  create_it
  start_it
  wait_until ticked_on 3
  rt pause "$id" || fail pause
  is_state paused || fail "the state is $(state_of)"
  grep -rq 'frozen 1' "$v2/$e2e_tag/$id" --include cgroup.events || fail "nothing is frozen"
  before=$(ticks)
  sleep .3
  [ "$(ticks)" -le $((before + 1)) ] || fail "it goes on: $before, then $(ticks)"
  rt resume "$id" || fail resume
  is_state running || fail "the state is $(state_of)"
  wait_until ticked_on $((before + 3))
  force_delete
}

case_kill_does_not_wait() {
  on_v2
  program on_term
  args /bin/on_term ignore
  create_it
  start_it
  wait_until grep -q ready "$dir/c.out"
  rt pause "$id" || fail pause
  rt kill "$id" KILL || fail "kill KILL"
  wait_until is_state stopped
  rt delete "$id" || fail delete
}

case_delete_after_the_monitor_was_killed() {
  only runhl "about its monitor"
  on_v2
  args sh -c 'sleep 1000 & sleep 1000'
  create_it
  start_it
  kill -KILL "$(cat "$dir/pid")"
  wait_until is_state stopped
  rt delete --force "$id" || fail delete
  [ ! -e "$v2/$e2e_tag/$id" ] || fail "the group is still there"
}

case_a_limit_without_its_controller_is_named() {
  only runhl "others fail in other words"
  on_v2
  grep -qw memory "$v2/cgroup.controllers" && skip_case "the tree has the memory controller"
  edit '.linux.resources.memory = {limit: 67108864}'
  run_it
  expect_status 1
  expect_one_line_error /linux/resources/memory
}
