# SPDX-License-Identifier: Apache-2.0
# Limits and placement, on cgroup v1 controllers.

# A bundle that eats memory (touch_pages) and may have so much of it, swap included.
memory_bundle() {  # MiB
  needs_root
  needs_cgroup memory
  make_bundle
  program touch_pages
  cgroup_path
  edit ".linux.resources.memory = {limit: $(($1 << 20)), swap: $(($1 << 20))}"
}

# A parent of ours: every directory below it carries the tag that the leak check looks for.
cgroup_path() { edit --arg path "/$e2e_tag/$id" '.linux.cgroupsPath = $path'; }

cgroup_of() {  # controller pid
  sed -n "s/^[0-9]*:$1:\(.*\)/\1/p" "/proc/$2/cgroup"
}

case_placement() {
  local controller
  needs_root
  needs_cgroup memory
  make_bundle
  args sleep 1000
  cgroup_path
  create_it
  for controller in memory pids cpu cpuacct freezer devices cpuset; do
    case $(cgroup_of "$controller" "$(cat "$dir/pid")") in
      "/$e2e_tag/$id" | "/$e2e_tag/$id"/*) ;;
      *) fail "$controller: $(cgroup_of "$controller" "$(cat "$dir/pid")")" ;;
    esac
  done
  force_delete
}

case_limits_are_written() {
  local base
  needs_root
  needs_cgroup memory
  make_bundle
  args sleep 1000
  cgroup_path
  edit '.linux.resources += {memory: {limit: 67108864, swap: 67108864}, pids: {limit: 77}, cpu: {shares: 512, quota: 50000, period: 100000}}'
  create_it
  base=/$e2e_tag/$id
  expect_eq "$(cat "/sys/fs/cgroup/memory$base/memory.limit_in_bytes")" 67108864 memory
  if [ "$RUNTIME" = runhl ]; then
    [ "$(cat "/sys/fs/cgroup/pids$base/pids.max")" -ge 77 ] || fail pids
  else
    expect_eq "$(cat "/sys/fs/cgroup/pids$base/pids.max")" 77 pids
  fi
  expect_eq "$(cat "/sys/fs/cgroup/cpu$base/cpu.shares")" 512 shares
  expect_eq "$(cat "/sys/fs/cgroup/cpu$base/cpu.cfs_quota_us")" 50000 quota
  force_delete
}

case_memory_limit_kills() {
  memory_bundle 32
  args /bin/touch_pages 200
  run_it
  expect_status 137
  args /bin/touch_pages 2
  run_it
  expect_status 0
}

# A child that eats is killed, and its parent learns so; the container goes on.
case_memory_limit_kills_one_of_many() {
  memory_bundle 64
  args sh -c 'for i in 1 2 3; do touch_pages 200; echo "child $?"; done; touch_pages 2'
  run_it
  expect_status 0
  expect_out "$(printf '%s\n' 'child 137' 'child 137' 'child 137' '512 pages')"
}

# The kernel fills the program's memory when the limit is met: that program ends, and what it held in
# the kernel is given back. The host may, before it has freed what it took, kill a second one, which
# can be the container's init: then once more.
killed_in_a_call() {  # name command
  local try
  args sh -c "$2; echo \"$1 \$?\"; touch_pages 10"
  for ((try = 0; try < 8; try++)); do
    run_it
    [ "$status" -eq 137 ] || break
  done
  expect_status 0
  expect_out "$(printf '%s\n' "$1 137" '2560 pages')"
}
case_memory_limit_met_in_a_system_call() {
  memory_bundle 48
  truncate -s 64M "$bundle/rootfs/big"
  killed_in_a_call zero 'dd if=/dev/zero of=/dev/null bs=64M count=1 2>/dev/null'
  [ "$RUNTIME" = runhl ] || return 0  # with the others the host looks for pages for half a minute
  killed_in_a_call file 'dd if=/big of=/dev/null bs=64M count=1 2>/dev/null'
  killed_in_a_call pipe 'yes | dd of=/dev/null bs=64M count=1 iflag=fullblock 2>/dev/null'
}

case_memory_limit_met_by_init_in_a_system_call() {
  needs_root
  needs_cgroup memory
  make_bundle
  cgroup_path
  edit '.linux.resources.memory = {limit: 33554432, swap: 33554432}'
  args dd if=/dev/zero of=/dev/null bs=64M count=1
  run_it
  expect_status 137
  ! grep -q panic "$dir/err" || fail "that is no bug of the kernel"
}

# Whoever is hit, there is an end: of the eaters, or of the container.
case_many_eaters_come_to_an_end() {
  local round
  memory_bundle 32
  args sh -c 'for i in 1 2 3 4 5 6 7 8; do touch_pages $((i * 7)) >/dev/null & done; wait; echo all'
  for round in 1 2 3; do
    status=0
    timeout 30 "$runtime_bin" --root "$root" run --bundle "$bundle" "$id" >"$dir/out" 2>"$dir/err" </dev/null || status=$?
    case $status in
      0) expect_out all ;;
      137) ;;
      *) fail "round $round: exit status $status" ;;
    esac
  done
}

# Whatever it is that is eaten: it is refused, or the eater killed, and the container is as good as
# new after that; or, with runc where nobody's own memory is large, the container ends.
case_memory_of_any_kind_comes_to_an_end() {
  local kind
  memory_bundle 48
  program eat_memory
  for kind in populate shared memfd mapped pipes sockets; do
    args sh -c "eat_memory $kind 200; touch_pages 10; echo end"
    status=0
    timeout 30 "$runtime_bin" --root "$root" run --bundle "$bundle" "$id" >"$dir/out" 2>"$dir/err" </dev/null || status=$?
    if [ "$status" -eq 137 ] && [ "$RUNTIME" != runhl ]; then continue; fi
    expect_eq "$kind $status" "$kind 0"
    expect_in out "2560 pages"
    expect_in out end
    ! grep -q 'all of it' "$dir/out" || fail "$kind: 200 MiB within 48"
  done
}

# Many small processes: some are killed, or the whole container is; nobody speaks of a bug.
case_many_small_processes_come_to_an_end() {
  local limit
  for limit in 6 12 24; do
    memory_bundle "$limit"
    program eat_memory
    args sh -c 'eat_memory processes 60; touch_pages 2; echo end'
    status=0
    timeout 30 "$runtime_bin" --root "$root" run --bundle "$bundle" "$id" >"$dir/out" 2>"$dir/err" </dev/null || status=$?
    case $status in
      0) expect_in out end ;;
      137) ;;
      *) fail "$limit MiB: exit status $status" ;;
    esac
    ! grep -q panic "$dir/err" || fail "that is no bug of the kernel"
    rm -rf "$bundle"
  done
}

# A file system in memory that is larger than the limit: who fills it is told or killed, and what he
# wrote can be removed.
case_filling_a_tmpfs_does_not_end_the_container() {
  memory_bundle 48
  edit '.mounts += [{destination: "/more", type: "tmpfs", source: "tmpfs", options: ["size=60m"]}]'
  args sh -c 'for d in /dev/shm /more; do dd if=/dev/zero of=$d/x bs=1M count=60; rm $d/x; done; touch_pages 10; echo end'
  run_it
  expect_status 0
  expect_in out end
}

# Without the host's OOM killer an eater waits for ever: it is still there to be killed.
case_waiting_for_memory_is_no_hang() {
  needs_root
  needs_cgroup memory
  make_bundle
  program touch_pages
  cgroup_path
  edit '.linux.resources.memory = {limit: 33554432, swap: 33554432, disableOOMKiller: true}'
  args /bin/touch_pages 200
  create_it
  start_it
  wait_until grep -q '^under_oom 1' "/sys/fs/cgroup/memory/$e2e_tag/$id/memory.oom_control"
  is_state running || fail "the state is $(state_of)"
  timeout 5 "$runtime_bin" --root "$root" kill "$id" KILL || fail "kill: $?"
  wait_until is_state stopped
  rt delete "$id" || fail delete
}

case_cpuset() {
  needs_root
  needs_cgroup cpuset
  make_bundle
  args sleep 1000
  cgroup_path
  edit '.linux.resources.cpu = {cpus: "0", mems: "0"}'
  create_it
  expect_eq "$(cat "/sys/fs/cgroup/cpuset/$e2e_tag/$id/cpuset.cpus")" 0 cpus
  force_delete
}

memory_in_use() { cat "/sys/fs/cgroup/memory/$e2e_tag/$id/memory.usage_in_bytes"; }
memory_below() { [ "$(memory_in_use)" -lt "$1" ]; }

# What a program frees, the host has back within five seconds.
gives_back() {  # kind MiB
  local full
  needs_root
  needs_cgroup memory
  make_bundle
  program give_back
  edit '(.mounts[] | select(.destination == "/dev/shm")).options |= map(select(startswith("size=") | not))'
  cgroup_path
  args /bin/give_back "$@"
  mkfifo "$dir/in"
  rt run --bundle "$bundle" "$id" <"$dir/in" >"$dir/out" 2>"$dir/err" &
  exec 9>"$dir/in"
  wait_until grep -q full "$dir/out"
  full=$(memory_in_use)
  [ "$full" -gt $(($2 << 20)) ] || fail "only $full bytes in use with $2 MiB written"
  echo free >&9
  wait_until grep -q free "$dir/out"
  local deadline=$((${EPOCHREALTIME/./} + 5000000))
  until memory_below $((full / 10)); do
    [ "${EPOCHREALTIME/./}" -lt "$deadline" ] || fail "$(memory_in_use) of $full bytes are kept"
    sleep .1
  done
  echo end >&9
  exec 9>&-
  wait $! || fail "exit status $?"
}
case_private_memory_comes_back() { gives_back private 256; }
case_shared_memory_comes_back() { gives_back shared 256; }
case_memory_of_a_file_comes_back() { gives_back file 256; }
case_memory_of_small_files_comes_back() { gives_back files 128; }


# Two containers of one cgroupsPath: whoever has the groups keeps them, whatever becomes of the other.
same_path() { edit --arg path "/$e2e_tag/$id" '.linux.cgroupsPath = $path'; }

case_taken_path_is_refused_and_left_alone() {
  only runhl "runc 1.1 puts both into one group and warns, crun says nothing"
  needs_root
  needs_cgroup memory
  make_bundle
  args sleep 1000
  same_path
  create_it
  start_it
  try create --bundle "$bundle" "$id-second"
  expect_status 1
  expect_one_line_error /linux/cgroupsPath "has processes in it already"
  try delete --force "$id-second"
  expect_status 0
  expect_eq "$(state_of)" running "the first one is"
  force_delete
}

case_two_creates_of_one_path_at_once() {
  local round pids n
  only runhl "runc 1.1 puts both into one group and warns, crun says nothing"
  needs_root
  needs_cgroup memory
  make_bundle
  args sleep 1000
  same_path
  trap 'for n in 1 2 3; do force_delete "$id-$n"; done' EXIT
  for ((round = 0; round < 12; round++)); do
    pids=()
    for n in 1 2 3; do
      rt create --bundle "$bundle" "$id-$n" </dev/null >/dev/null 2>"$dir/err-$n" &
      pids+=($!)
    done
    local won=()
    for n in 1 2 3; do if wait "${pids[n - 1]}"; then won+=("$n"); fi; done
    [ ${#won[@]} -eq 1 ] || fail "round $round: ${#won[@]} of three won: $(cat "$dir"/err-*)"
    for n in 1 2 3; do
      [ "$n" = "${won[0]}" ] || grep -q /linux/cgroupsPath "$dir/err-$n" || fail "$(cat "$dir/err-$n")"
    done
    rt start "$id-${won[0]}" </dev/null || fail "round $round: the winner does not start"
    expect_eq "$(state_of "$id-${won[0]}")" running "the winner is"
    grep -q . "/sys/fs/cgroup/memory/$e2e_tag/$id/cgroup.procs" || fail "the winner is not in its groups"
    for n in 1 2 3; do force_delete "$id-$n"; done
    [ ! -d "/sys/fs/cgroup/memory/$e2e_tag/$id" ] || fail "the groups are left"
  done
}

# An ended container's groups are there until it is deleted, and free for another.
case_empty_groups_are_taken_and_stay_with_the_taker() {
  only runhl "runc removes them under the second one"
  needs_root
  needs_cgroup memory
  make_bundle
  args true
  same_path
  create_it
  start_it
  wait_until is_state stopped
  args sleep 1000
  trap 'force_delete "$id-second"' EXIT
  rt create --bundle "$bundle" "$id-second" </dev/null >/dev/null 2>&1 || fail "not created"
  try delete "$id"
  expect_status 0
  grep -q . "/sys/fs/cgroup/memory/$e2e_tag/$id/cgroup.procs" || fail "the second one lost its groups"
  expect_eq "$(state_of "$id-second")" created "the second one is"
}
