#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# SIGKILL at random points, to the monitor, a cell or the verb itself; then `delete --force`.
#
#   RUNHL=/path/to/runhl test/full/kill_rounds.sh [ROUNDS] [SEED]      (500; the gate runs 25)
#
# After every round the difference of processes (by executable and cgroup), mounts, cgroup
# directories, files under the root and run directories, network namespaces and memfds is empty,
# and no step takes longer than a second. Prints the seed: the same seed kills at the same delays.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 2
export LC_ALL=C.UTF-8 RUNHL_TOP=$PWD
rounds=${1:-500}
seed=${2:-$RANDOM}
RUNTIME=runhl
runtime_bin=${RUNHL:-$PWD/build/installed/bin/runhl}
[ -x "$runtime_bin" ] || { echo "kill_rounds: no $runtime_bin" >&2; exit 2; }
[ "$(id -u)" -eq 0 ] || { echo "kill_rounds: needs root" >&2; exit 2; }
if [ -z "${KILL_INSIDE:-}" ]; then
  KILL_INSIDE=1 RUNHL=$runtime_bin exec unshare --mount --propagation private bash test/full/kill_rounds.sh "$rounds" "$seed"
fi
runtime_real=$(readlink -f "$runtime_bin")
e2e_tag=kill-$$
e2e_dir=$(mktemp -d /tmp/runhl-kill.XXXXXX)
trap 'rmdir /sys/fs/cgroup/*/$e2e_tag 2>/dev/null; rm -rf "$e2e_dir"' EXIT
. test/support/e2e.sh
dir=$e2e_dir root=$e2e_dir/root
bash test/support/make_rootfs.sh "$e2e_dir/rootfs" && bash test/support/make_programs.sh "$e2e_dir/programs" || exit 2
id=$e2e_tag-victim
make_bundle
program idle
args /bin/idle
edit --arg path "/$e2e_tag/$id" '.linux.cgroupsPath = $path | .linux.resources += {memory: {limit: 268435456}, pids: {limit: 100}}'

# The same with programs that fork, copy and read all the time: kills meet the kernel at work.
busy=$dir/busy
cp -a "$bundle" "$busy"
bundle=$busy args sh -c 'for w in 1 2 3; do
  while :; do dd if=/dev/zero of=/tmp/$w bs=300k count=9 conv=fsync; cat /tmp/$w | cat | wc -c; done >/dev/null 2>&1 &
  done; while :; do wait; done'

# Guest memory held by anybody but a monitor and its cells (ours are counted by their executable).
memfds() {
  find /proc -maxdepth 3 -path '/proc/[0-9]*/fd/*' -lname '/memfd:*runhl*' 2>/dev/null | cut -d/ -f3 | sort -u |
    while read -r pid; do grep -qs '^runhl: ' "/proc/$pid/comm" || readlink "/proc/$pid/exe"; done
}
netns() { lsns -t net -n -o NS 2>/dev/null | sort -u; }
snapshot() {
  leftovers
  netns | sed 's/^/netns /'
  find /run/runhl/uids -mindepth 1 2>/dev/null | sed 's/^/uid lock /'
}
monitor_pid() { cat "$dir/pid" 2>/dev/null; }
cells() {  # of this container alone: others of this machine may run the same program
  grep -slF ":/$e2e_tag/$id" /proc/[0-9]*/cgroup | cut -d/ -f3 | grep -vx "$(monitor_pid)"
}

RANDOM=$seed
failed=0
took_longest=0
microseconds() { echo "${EPOCHREALTIME/./}"; }
pause_us() { [ "$1" -le 0 ] || sleep "0.$(printf %06d "$1")"; }

round() {
  local kind=$1 delay=$2 began took verb victim kills
  rm -f "$dir/pid"
  case $kind in
    create)  # the verb, somewhere between its first and its last instruction
      "$runtime_bin" --root "$root" create --bundle "$bundle" --pid-file "$dir/pid" "$id" </dev/null >/dev/null 2>&1 &
      verb=$!
      pause_us $((delay % 8000))
      kill -KILL $verb 2>/dev/null
      wait $verb 2>/dev/null
      ;;
    start)
      rt create --bundle "$bundle" --pid-file "$dir/pid" "$id" </dev/null >/dev/null 2>&1
      "$runtime_bin" --root "$root" start "$id" </dev/null >/dev/null 2>&1 &
      verb=$!
      pause_us $((delay % 2000))
      kill -KILL $verb 2>/dev/null
      wait $verb 2>/dev/null
      ;;
    pause | resume)  # what is half frozen is removed all the same
      rt create --bundle "$bundle" --pid-file "$dir/pid" "$id" </dev/null >/dev/null 2>&1
      rt start "$id" </dev/null >/dev/null 2>&1
      [ "$kind" = pause ] || rt pause "$id" </dev/null >/dev/null 2>&1
      "$runtime_bin" --root "$root" "$kind" "$id" </dev/null >/dev/null 2>&1 &
      verb=$!
      pause_us $((delay % 2000))
      kill -KILL $verb 2>/dev/null
      wait $verb 2>/dev/null
      ;;
    monitor | cell | created-monitor | created-cell | paused-monitor | paused-cell)
      rt create --bundle "$bundle" --pid-file "$dir/pid" "$id" </dev/null >/dev/null 2>&1
      [[ $kind = created-* ]] || rt start "$id" </dev/null >/dev/null 2>&1
      [[ $kind != paused-* ]] || rt pause "$id" </dev/null >/dev/null 2>&1
      pause_us $((delay % 3000))
      if [[ $kind = *monitor ]]; then victim=$(monitor_pid); else victim=$(cells | shuf -n 1 --random-source=<(yes "$delay")); fi
      [ -n "$victim" ] && kill -KILL "$victim" 2>/dev/null
      ;;
    busy-monitor | busy-cell)
      rt create --bundle "$busy" --pid-file "$dir/pid" "$id" </dev/null >/dev/null 2>&1
      rt start "$id" </dev/null >/dev/null 2>&1
      for ((kills = 0; kills < 3; kills++)); do
        pause_us $((10000 + delay * 3 % 50000))
        if [ "$kind" = busy-monitor ]; then victim=$(monitor_pid); else victim=$(cells | shuf -n 1); fi
        [ -n "$victim" ] && kill -KILL "$victim" 2>/dev/null
      done
      ;;
    delete)
      rt create --bundle "$bundle" --pid-file "$dir/pid" "$id" </dev/null >/dev/null 2>&1
      rt start "$id" </dev/null >/dev/null 2>&1
      "$runtime_bin" --root "$root" delete --force "$id" </dev/null >/dev/null 2>&1 &
      verb=$!
      pause_us $((delay % 2000))
      kill -KILL $verb 2>/dev/null
      wait $verb 2>/dev/null
      ;;
  esac
  began=$(microseconds)
  if ! timeout -k 1 10 "$runtime_bin" --root "$root" delete --force "$id" </dev/null >"$dir/out" 2>"$dir/err"; then
    echo "FAILED: $kind after $delay us: delete --force: $(cat "$dir/err")"
    return 1
  fi
  while snapshot >"$dir/after" && ! cmp -s "$dir/before" "$dir/after"; do
    took=$(($(microseconds) - began))
    if [ "$took" -gt 1000000 ]; then
      echo "FAILED: $kind after $delay us: left behind after a second:"
      diff "$dir/before" "$dir/after" | grep '^[<>]' | head -n 12
      return 1
    fi
    sleep .01
  done
  took=$(($(microseconds) - began))
  [ "$took" -le "$took_longest" ] || took_longest=$took
  return 0
}

# Once to the end, so that parents (cgroup, uid directory) exist before the first comparison.
rt run --bundle "$bundle" --detach "$id" </dev/null >/dev/null 2>&1
rt delete --force "$id" || { echo "kill_rounds: cannot run the container at all" >&2; exit 1; }
snapshot >"$dir/before"
kinds=(create create create monitor cell created-monitor created-cell paused-monitor paused-cell busy-monitor busy-cell busy-cell
  start pause resume delete)
for ((n = 0; n < rounds; n++)); do
  kind=${kinds[RANDOM % ${#kinds[@]}]}
  if ! round "$kind" $((RANDOM % 10000)); then
    failed=$((failed + 1))
    [ "$failed" -lt 5 ] || break
    snapshot >"$dir/before"
  fi
done
if [ -n "$(memfds)" ]; then
  echo "FAILED: guest memory is held by $(memfds)"
  failed=$((failed + 1))
fi
[ -z "${RUNHL_COUNTS:-}" ] || echo "$((n - failed)) $failed 0" >>"$RUNHL_COUNTS"
echo "kill rounds: $n rounds, $failed failed, slowest clean-up $((took_longest / 1000)) ms, seed $seed"
[ "$failed" -eq 0 ]
