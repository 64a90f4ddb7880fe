#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Prints one markdown table: upstream's kernel 0.20.1 booted beside restored from a snapshot, in one
# interleaved run, as medians of isolation `emulated`.
#   RUNHL=/path/to/runhl test/bench/upstream.sh [ROUNDS]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
runhl=${RUNHL:-$here/../../build/installed/bin/runhl} rounds=${1:-20}
work=$(mktemp -d /tmp/rbu.XXXXXX)
trap 'rm -rf "$work"' EXIT
kernel=$(bash "$here/../upstream/fetch_kernel.sh" 0.20.1)
bash "$here/../upstream/make_archive.sh" "$work/r.cpio"
"$runhl" boot -q --isolation=emulated "$kernel" --initrd "$work/r.cpio" -m 64Mi --save "$work/snapshot" 2>/dev/null

# Milliseconds from here to the program's first lines, whose clock is the host's; all of the command's
# time; the largest process of it, in MiB.
run() {  # NAME ARGS OF BOOT…
  local name=$1 start end seen
  shift
  start=$(date +%s%N)
  seen=$(/usr/bin/time -o "$work/rss" -f %M "$runhl" boot -q --isolation=emulated "$kernel" "$@" -- /bin/does now 2>/dev/null </dev/null | tr -dc 0-9)
  end=$(date +%s%N)
  echo "$(((seen - start) / 1000))" >>"$work/$name.first"
  echo "$(((end - start) / 1000))" >>"$work/$name.all"
  tail -n 1 "$work/rss" >>"$work/$name.rss"
}
median() { sort -n "$1" | awk -v unit="$2" '{v[NR] = $1} END {printf "%.1f", v[int((NR + 1) / 2)] / unit}'; }
row() { echo "| $1 | $(median "$work/boot.$2" "$3") | $(median "$work/restore.$2" "$3") |"; }

for _ in $(seq "$rounds"); do
  run boot --initrd "$work/r.cpio" -m 64Mi
  run restore --restore "$work/snapshot"
done
echo "| kernel 0.20.1, 64 MiB, median of $rounds | boot | restore |"
echo "|---|---|---|"
row "command to the program's first instruction, ms" first 1000
row "whole command, ms" all 1000
row "largest process, MiB" rss 1024
echo "| snapshot on disk, MiB | | $(du -sk "$work/snapshot" | awk '{printf "%.1f", $1 / 1024}') |"
