#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# SIGKILL of the monitor while programs write on the direct rootfs: what they were told is done is
# on the host, whole, and names, links and attributes are those of one change or the next.
#
#   RUNHL=/path/to/runhl test/full/durable_rounds.sh [ROUNDS] [SEED]      (200; the gate runs 6)
#
# Three writers (test/programs/durable_writes.c) at once; every second round the rootfs lies on
# tmpfs, where changes are so fast that the kill meets the middle of one. Prints the seed: the same
# seed gives the same changes and delays. RUNTIME=runc checks the checker.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 2
export LC_ALL=C.UTF-8
rounds=${1:-200}
seed=${2:-$RANDOM}
case ${RUNTIME:-runhl} in
  runhl) runtime_bin=${RUNHL:-$PWD/build/installed/bin/runhl} ;;
  *) runtime_bin=$(command -v "$RUNTIME") ;;
esac
[ -x "$runtime_bin" ] || { echo "durable_rounds: no $runtime_bin" >&2; exit 2; }
[ "$(id -u)" -eq 0 ] || { echo "durable_rounds: needs root" >&2; exit 2; }
dir=$(mktemp -d /tmp/runhl-durable.XXXXXX)
fast=$(mktemp -d /dev/shm/runhl-durable.XXXXXX)
id=durable-$$
rt() { "$runtime_bin" --root "$dir/root" "$@"; }
trap 'rt delete --force $id >/dev/null 2>&1; rm -rf "$dir" "$fast"' EXIT
bash test/support/make_programs.sh "$dir/programs" && bash test/support/make_rootfs.sh "$dir/rootfs" || exit 2
checker=$dir/programs/durable_writes
cp "$checker" "$dir/rootfs/bin/"
writers=3

fail() {
  echo "FAILED: round $round ($place): $*"
  failed=$((failed + 1))
}

make_bundle() {  # directory
  rm -rf "$1"
  mkdir "$1"
  cp -a "$dir/rootfs" "$1/rootfs"
  local script
  printf -v script 'for w in 1 2 3; do durable_writes write /w$w $((%d + w)) & done; wait' "$RANDOM"
  jq --arg script "$script" '.process.args = ["/bin/sh", "-c", $script]' \
    test/support/config.json >"$1/config.json"
}

# Every writer has begun each of its five kinds of change.
all_begun() { [ "$(cut -d' ' -f1,2 "$dir/lines" | sort -u | grep -c ' .')" -ge $((writers * 5)) ]; }

wait_for() {  # seconds, command
  local deadline=$((${EPOCHREALTIME/./} + $1 * 1000000))
  until "${@:2}" 2>/dev/null; do
    [ "${EPOCHREALTIME/./}" -lt "$deadline" ] || return 1
    sleep .01
  done
}

round() {
  local bundle=$1 writer delay=$((RANDOM % 150)) pid
  make_bundle "$bundle"
  rt create --bundle "$bundle" --pid-file "$dir/pid" $id </dev/null >"$dir/lines" 2>"$dir/err" &&
    rt start $id </dev/null 2>>"$dir/err" || { fail "$(cat "$dir/err")"; return; }
  pid=$(cat "$dir/pid")
  wait_for 30 all_begun || fail "the writers have not begun: $(tail -n 3 "$dir/lines" "$dir/err")"
  sleep "$(printf '0.%03d' "$delay")"
  kill -KILL "$pid" || fail "the container ended by itself: $(cat "$dir/err")"
  rt delete --force $id </dev/null || fail "delete --force"
  for ((writer = 1; writer <= writers; writer++)); do
    "$checker" verify "$bundle/rootfs/w$writer" "$dir/lines" >"$dir/verdict" ||
      fail "writer $writer after $delay ms: $(cat "$dir/verdict")"
    changes=$((changes + $(sed -n 's/^\([0-9]*\) changes/\1/p' "$dir/verdict")))
  done
}

# What the checker is worth: it sees one wrong byte, one lost name.
check_checker() {
  local w=$1/rootfs/w1
  printf x | dd of="$w/log" bs=1 seek=5 conv=notrunc status=none
  "$checker" verify "$w" "$dir/lines" >/dev/null && fail "the checker does not see a wrong byte"
  rm "$w/current"
  grep -q ^current <("$checker" verify "$w" "$dir/lines") || fail "the checker does not miss a file"
}

RANDOM=$seed
failed=0 changes=0
for ((round = 1; round <= rounds; round++)); do
  place=$dir/bundle
  [ $((round % 2)) -eq 1 ] || place=$fast/bundle
  round "$place"
  [ "$round" -gt 1 ] || check_checker "$place"
  [ "$failed" -lt 5 ] || break
done
done_rounds=$((round > rounds ? rounds : round))
[ -z "${RUNHL_COUNTS:-}" ] || echo "$((done_rounds > failed ? done_rounds - failed : 0)) $failed 0" >>"$RUNHL_COUNTS"
echo "durable rounds: $done_rounds rounds, $failed failed, $changes changes that were told, seed $seed"
[ "$failed" -eq 0 ]
