# SPDX-License-Identifier: Apache-2.0
# Limits and placement, on cgroup v1 controllers.

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
  needs_root
  needs_cgroup memory
  make_bundle
  program touch_pages
  cgroup_path
  edit '.linux.resources.memory = {limit: 33554432, swap: 33554432}'
  args /bin/touch_pages 200
  run_it
  expect_status 137
  args /bin/touch_pages 2
  run_it
  expect_status 0
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
