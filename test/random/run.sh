#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Random programs of system calls (random_calls.cc, steps_*.cc), in a container of runc and in a guest: what the
# kernel answered must be the same to the last byte.
#
#   test/random/run.sh [SECONDS]             # new seeds for so long (60), after the kept ones
#   SEEDS=7-9 test/random/run.sh 0           # these seeds
#   FIRST=1 test/random/run.sh 60            # not new ones, but from here on
#   OUT=docs/results/DATE-random.md test/random/run.sh 7200    # goes on whatever differs
#   LIST=programs.txt test/random/run.sh 0   # those that a run with OUT listed: "DIRECTORY SEED COUNT"
#   RANDOM_CALLS=PROGRAM …                   # what was built before
#
# A program that differs is made shorter, step by step, while it still differs, and printed with both
# answers as a line for seeds.txt: what stands there is run first, always. One that differs in neither
# of two more runs is skipped by name. A run with OUT lists in
# OUT.programs each program that differs and the first lines that do; it makes none shorter.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 2
export LC_ALL=C.UTF-8
seconds=${1:-60} steps=${STEPS:-150} batch=${BATCH:-50}
runhl=$(realpath "${RUNHL:-build/installed/bin/runhl}")
[ "$(id -u)" -eq 0 ] || { echo "SKIPPED: random: not root"; exit 77; }
[ -x "$runhl" ] || { echo "test/random: no $runhl"; exit 2; }
if [ -z "${RANDOM_INSIDE:-}" ]; then
  RANDOM_INSIDE=1 exec unshare --mount --propagation private bash "$0" "$@"
fi
work=$(mktemp -d /tmp/runhl-random.XXXXXX)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/bundle/rootfs"/{bin,proc,dev,sys,tmp,scratch}
if [ -n "${RANDOM_CALLS:-}" ]; then cp "$RANDOM_CALLS" "$work/bundle/rootfs/bin/random_calls"; else
  g++ -std=c++20 -O1 -Wall -Wextra -Werror -static -o "$work/bundle/rootfs/bin/random_calls" test/random/*.cc || exit 2
fi

# The record of one run, by a runtime, in a fresh directory of the root file system or on tmpfs.
record() {  # runtime directory args…
  local bin=$runhl id=random-$$-$RANDOM runtime=$1 directory=$2
  [ "$runtime" = runhl ] || bin=$(command -v "$runtime")
  shift 2
  jq --arg cwd "$directory" '.process.args = ["/bin/random_calls"] + $ARGS.positional | .process.cwd = $cwd
    | .root.readonly = false | .process.rlimits = [{type: "RLIMIT_NOFILE", hard: 1024, soft: 1024}]
    | .mounts += [{destination: "/tmp", type: "tmpfs", source: "tmpfs", options: ["nosuid", "nodev", "mode=1777"]}]' \
    --args -- "$@" <test/support/config.json >"$work/bundle/config.json"
  find "$work/bundle/rootfs/scratch" -mindepth 1 -delete
  timeout -k 5 "${RUN_SECONDS:-120}" "$bin" --root "$work/root-$runtime" run --bundle "$work/bundle" "$id" </dev/null
  echo "runtime's exit status $?"
  "$bin" --root "$work/root-$runtime" delete --force "$id" >/dev/null 2>&1 </dev/null
}

differs() {  # directory seed count indices…
  RUN_SECONDS=15 record runc "$@" >"$work/one.linux" 2>&1
  RUN_SECONDS=15 record runhl "$@" >"$work/one.guest" 2>&1
  ! cmp -s "$work/one.linux" "$work/one.guest"
}

# Leaves out halves, quarters, … single steps, as long as the records still differ.
minimise() {  # directory seed count
  local directory=$1 seed=$2 count=$3 chunk i
  local keep=() try=()
  for ((i = 0; i < count; i++)); do keep+=("$i"); done
  # What comes behind the first difference has no part in it.
  differs "$directory" "$seed" "$count" || { echo "      differs only in its batch"; return; }
  i=$(diff "$work/one.linux" "$work/one.guest" | sed -n 's/^[<>] \([0-9]*\):.*/\1/p' | head -n 1)
  [ -z "$i" ] || keep=("${keep[@]:0:i+14}")
  for ((chunk = ${#keep[@]} / 2; chunk >= 1; chunk /= 2)); do
    for ((i = 0; i < ${#keep[@]};)); do
      try=("${keep[@]:0:i}" "${keep[@]:i+chunk}")
      if [ ${#try[@]} -gt 0 ] && differs "$directory" "$seed" "$count" "${try[@]}"; then keep=("${try[@]}"); else i=$((i + chunk)); fi
    done
  done
  differs "$directory" "$seed" "$count" "${keep[@]}"
  echo "      seeds.txt: $directory $seed $count ${keep[*]}"
  diff "$work/one.linux" "$work/one.guest" | head -n 12
}

passed=0 failed=0 skipped=0 most=${MINIMISE:-5} out=${OUT:-}
[ -z "$out" ] || : >"$out.programs"
# A program that differs and is known to (known_differences.txt) is counted as skipped.
is_known() { grep -q "^$1 $2 $3 " test/random/known_differences.txt; }

verdict() {  # directory seed count same? [indices…]
  if [ "$4" = same ]; then passed=$((passed + 1)); elif is_known "$1" "$2" "$3"; then
    skipped=$((skipped + 1))
    echo "SKIPPED: random: $1 seed $2: known to differ"
  else
    failed=$((failed + 1))
    echo "FAILED: random: $1 seed $2"
  fi
}

while read -r directory seed count indices; do
  case $directory in '' | '#'*) continue ;; esac
  # shellcheck disable=SC2086  # one word an index
  if differs "$directory" "$seed" "$count" $indices; then
    verdict "$directory" "$seed" "$count" different
    diff "$work/one.linux" "$work/one.guest" | head -n 12
  else
    verdict "$directory" "$seed" "$count" same
  fi
done <test/random/seeds.txt

one_batch() {  # directory first last
  local seed
  record runc "$1" "$2-$3" "$steps" >"$work/linux" 2>&1
  record runhl "$1" "$2-$3" "$steps" >"$work/guest" 2>&1
  mkdir -p "$work/split"
  for runtime in linux guest; do
    rm -f "$work/split/$runtime".*
    awk -v out="$work/split/$runtime." '/^seed [0-9]+$/ {file = out $2} file {print > file}' "$work/$runtime"
  done
  for ((seed = $2; seed <= $3; seed++)); do
    if [ -s "$work/split/linux.$seed" ] && cmp -s "$work/split/linux.$seed" "$work/split/guest.$seed"; then
      verdict "$1" "$seed" "$steps" same
    elif [ -z "$out" ] && ! differs "$1" "$seed" "$steps" && ! differs "$1" "$seed" "$steps"; then
      # What Linux itself answers may depend on the moment: a flock given up by another, a timer's signal.
      skipped=$((skipped + 1))
      echo "SKIPPED: random: $1 seed $seed: differed once, and in neither of two runs alone:"
      diff "$work/split/linux.$seed" "$work/split/guest.$seed" | head -n 6
    else
      verdict "$1" "$seed" "$steps" different
      if [ -n "$out" ]; then list_program "$1" "$seed"; continue; fi
      is_known "$1" "$seed" "$steps" || [ "$failed" -gt "$most" ] || minimise "$1" "$seed" "$steps"
    fi
  done
}

list_program() {  # directory seed
  echo "$1 $2 $steps"
  diff "$work/split/linux.$2" "$work/split/guest.$2" |
    awk '/^[<>]/ && !seen[$1]++ {print "#   " substr($0, 1, 200)}'
} >>"$out.programs"

write_summary() {
  summary="random: $passed passed, $failed failed, $skipped skipped"
  [ -z "$out" ] || {
    echo '<!-- SPDX-License-Identifier: Apache-2.0 -->'
    echo "# Random programs of system calls, $(date -u +%F)"
    echo
    echo "Isolation: \`cell\`. $SECONDS s, programs of $steps steps beside runc on the same machine ($(uname -r)). $summary."
  } >"$out"
}

# New seeds each time, a failure prints its own; the gate begins at 1, so that it tells of a change.
first=${FIRST:-$(date +%s)0}
if [ -n "${SEEDS:-}" ]; then
  one_batch /scratch "${SEEDS%-*}" "${SEEDS#*-}"
  one_batch /tmp "${SEEDS%-*}" "${SEEDS#*-}"
fi
if [ -n "${LIST:-}" ]; then
  while read -r directory seed count; do
    case $directory in '' | '#'*) continue ;; esac
    steps=$count
    one_batch "$directory" "$seed" "$seed"
  done <"$LIST"
fi
while [ "$SECONDS" -lt "$seconds" ] && { [ -n "$out" ] || [ "$failed" -le "$most" ]; }; do
  one_batch /scratch "$first" $((first + batch - 1))
  one_batch /tmp "$first" $((first + batch - 1))
  first=$((first + batch))
  write_summary
done
write_summary
[ -z "${RUNHL_COUNTS:-}" ] || echo "$passed $failed $skipped" >>"$RUNHL_COUNTS"
echo "$summary"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
