#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A real containerd, driven by ctr: the same containers with runc and with the runtime under test.
#   RUNHL=/path/to/runhl test/e2e/engines/ctr.sh [CASE…]
set -uo pipefail
cd "$(dirname "$0")/../../.." || exit 2
export LC_ALL=C.UTF-8
. test/support/engines.sh
. test/support/engine_cases.sh

image=docker.io/library/bb:1
binary() { if [ "$rt" = runhl ]; then echo "$runtime_path"; else echo "$rt"; fi; }
# ctr's fifos are made under /run/containerd, which is private to the daemons: here they are ours.
run() { timeout 60 "${CTR[@]}" run --rm --fifo-dir "$dir/fifo" --runc-binary "$(binary)" "$@"; }

case_sha256sum() { run $image "$name" /bin/busybox sha256sum /etc/passwd; }
case_exit_codes() {
  local code
  for code in 0 1 42 255; do
    run $image "$name" sh -c "exit $code"
    echo "$code -> $?"
  done
}
case_streams() {
  run $image "$name" sh -c 'echo out; echo err >&2' 2>"$dir/err"
  echo "stderr: $(cat "$dir/err")"
}
case_options() {
  run --env A=b --cwd /tmp $image "$name" sh -c 'echo $A; pwd; id -u'
  run --read-only $image "$name" sh -c 'echo x >/new || echo refused' 2>/dev/null
  mkdir -p "$dir/m"
  echo host >"$dir/m/f"
  run --mount "type=bind,src=$dir/m,dst=/mnt,options=rbind:ro" $image "$name" cat /mnt/f
}
case_host_network() { run --net-host $image "$name" echo host; }
case_rootfs_directory() { run --rootfs "$dir/e/image" "$name" /bin/busybox sha256sum /etc/passwd; }
case_task_life() {
  "${CTR[@]}" run -d --null-io --runc-binary "$(binary)" $image "$name" sleep 1000
  "${CTR[@]}" tasks ls | awk -v n="$name" '$1 == n {print $3}'
  "${CTR[@]}" tasks kill -s KILL "$name"
  stopped() { "${CTR[@]}" tasks ls | grep -q "^$name .*STOPPED"; }
  wait_until stopped
  "${CTR[@]}" tasks delete "$name" >/dev/null 2>&1
  echo $?
  "${CTR[@]}" containers delete "$name"
}
case_pause() {
  "${CTR[@]}" run -d --null-io --runc-binary "$(binary)" $image "$name" sleep 1000
  "${CTR[@]}" tasks pause "$name"
  "${CTR[@]}" tasks ls | awk -v n="$name" '$1 == n {print $3}'
  "${CTR[@]}" tasks resume "$name"
  "${CTR[@]}" tasks ls | awk -v n="$name" '$1 == n {print $3}'
  "${CTR[@]}" tasks delete -f "$name" >/dev/null 2>&1
  "${CTR[@]}" containers delete "$name"
}
case_kill_all() {
  "${CTR[@]}" run -d --null-io --runc-binary "$(binary)" $image "$name" sleep 1000
  "${CTR[@]}" tasks kill -a -s 9 "$name" && echo killed
  stopped() { "${CTR[@]}" tasks ls | grep -q "^$name .*STOPPED"; }
  wait_until stopped
  "${CTR[@]}" tasks delete -f "$name" >/dev/null 2>&1
  "${CTR[@]}" containers delete "$name"
}
case_command_not_found() {
  run $image "$name" no-such-command >/dev/null 2>&1
  echo $?
}

engine_cases "$@"
