# SPDX-License-Identifier: Apache-2.0
# What a running container is seen to do.

stat_of() { jq -r "$1" <"$dir/out"; }

case_stats_of_a_running_container() {
  only runhl runc "crun has no events"
  needs_root
  needs_cgroup memory
  make_bundle
  args sleep 1000
  edit --arg path "/$e2e_tag/$id" '.linux.cgroupsPath = $path'
  create_it
  start_it
  try events --stats "$id"
  expect_status 0
  expect_eq "$(stat_of .type)" stats
  expect_eq "$(stat_of .id)" "$id"
  [ "$(stat_of .data.memory.usage.usage)" -gt 0 ] || fail "memory: $(cat "$dir/out")"
  [ "$(stat_of .data.cpu.usage.total)" -gt 0 ] || fail "cpu: $(cat "$dir/out")"
  [ "$(stat_of .data.pids.current)" -gt 0 ] || fail "pids: $(cat "$dir/out")"
  if [ "$RUNTIME" = runhl ]; then
    [ "$(stat_of .data.runhl.counters.trapped_syscalls)" -gt 0 ] || fail "guest: $(cat "$dir/out")"
    try info
    grep -q 'seccomp listener: *yes' "$dir/out" && mapped=true || mapped=false
    try events --stats "$id"
    expect_eq "$(stat_of .data.runhl.mapsFiles)" "$mapped"
  fi
  force_delete
}

case_out_of_memory_is_an_event() {
  only runhl runc "crun has no events"
  needs_root
  needs_cgroup memory
  make_bundle
  program touch_pages
  edit --arg path "/$e2e_tag/$id" '.linux.cgroupsPath = $path | .linux.resources.memory = {limit: 33554432, swap: 33554432}'
  args sh -c 'touch_pages 100; sleep 1000'
  create_it
  rt events --interval 100ms "$id" >"$dir/events" 2>"$dir/err" </dev/null &
  told() { jq -r '.type' "$dir/events" | grep -qx "$1"; }
  wait_until told stats
  start_it
  wait_until told oom
  expect_eq "$(jq -r 'select(.type == "oom").id' "$dir/events" | sort -u)" "$id"
  is_state running || fail "the container has ended"
  force_delete
  wait $! || fail "events ends with $?"
}

case_stats_of_no_container() {
  try events --stats nobody
  expect_status 1
}

# The share of system calls that needed no host signal, and the switch that turns it off.
rewritten_sites() {
  rm -f "$dir/log"
  try --debug --log "$dir/log" run --bundle "$bundle" "$id"
  expect_status 0
  sed -n 's/.*rewritten_sites \([0-9]*\).*/\1/p' "$dir/log"
}
case_rewriting_can_be_switched_off() {
  only runhl "its guest kernel rewrites programs"
  make_bundle
  program hot_calls
  args /bin/hot_calls 1
  [ "$(rewritten_sites)" -gt 0 ] || fail "nothing was rewritten"
  edit '.annotations["dev.runhl.rewrite"] = "off"'
  expect_eq "$(rewritten_sites)" 0 "rewritten sites"
  edit '.annotations["dev.runhl.rewrite"] = "maybe"'
  run_it
  expect_status 1
  expect_in err "/annotations/dev.runhl.rewrite"
}

# A subshell's calls are made once in each: no site would ever be made a jump by itself.
case_calls_of_forked_children_become_fast() {
  only runhl "its guest kernel rewrites programs"
  make_bundle
  args busybox sh -c 'i=0; while [ $i -lt 400 ]; do (exit 0); i=$((i + 1)); done'
  rm -f "$dir/log"
  try --debug --log "$dir/log" run --bundle "$bundle" "$id"
  expect_status 0
  local trapped
  trapped=$(sed -n 's/.*trapped_syscalls \([0-9]*\).*/\1/p' "$dir/log")
  [ "$trapped" -lt 400 ] || fail "$trapped calls trapped in 400 children"
}
