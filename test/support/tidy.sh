#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# clang-tidy-19 over the sources that changed since the commit this one is to land on.
#   tidy.sh BUILD_DIR        (a configured directory with compile_commands.json)
# Bounded by TIDY_SECONDS: what was not reached is printed and counted as skipped. The order is
# shuffled by the commit, so that in time every file of a long change has its turn.
set -uo pipefail
build=$1
limit=${TIDY_SECONDS:-150}
jobs=${JOBS:-$(nproc)}
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

base=${TIDY_BASE:-$(git merge-base HEAD origin/main 2>/dev/null)}
if [ -z "$base" ] || [ "$base" = "$(git rev-parse HEAD)" ]; then
  base=$(git rev-parse -q --verify HEAD~1) || {
    echo "SKIPPED: tidy: a clone without history, nothing to compare with (TIDY_BASE names a commit)"
    [ -z "${RUNHL_COUNTS:-}" ] || echo "0 0 1" >>"$RUNHL_COUNTS"
    exit 0
  }
fi

jq -r '.[].file' "$build/compile_commands.json" | grep '\.cc$' | sort -u >"$out/known"
{ git diff --name-only --diff-filter=d "$base" && git ls-files -o --exclude-standard; } |
  sed "s|^|$PWD/|" | sort -u | comm -12 - "$out/known" |
  shuf --random-source=<(yes "$(git rev-parse HEAD)") >"$out/list"

export tidy_build=$build tidy_out=$out tidy_deadline=$(($(date +%s) + limit))
one() {
  local name
  name=$(echo "$1" | tr / _)
  if [ "$(date +%s)" -ge "$tidy_deadline" ]; then
    echo "$1" >"$tidy_out/left.$name"
  elif clang-tidy-19 --quiet -p "$tidy_build" "$1" >"$tidy_out/log.$name" 2>&1; then
    : >"$tidy_out/good.$name"
  else
    mv "$tidy_out/log.$name" "$tidy_out/bad.$name"
  fi
}
export -f one
xargs -r -P "$jobs" -I{} bash -c 'one "$1"' _ {} <"$out/list"

tally() { find "$out" -name "$1.*" | wc -l; }
good=$(tally good) bad=$(tally bad) left=$(tally left)
[ "$left" -eq 0 ] || { echo "SKIPPED: tidy: $left files not reached in $limit s:" && cat "$out"/left.*; }
[ -z "${RUNHL_COUNTS:-}" ] || echo "$good $bad $left" >>"$RUNHL_COUNTS"
[ "$bad" -eq 0 ] && exit 0
grep -hE 'warning:|error:|note:' "$out"/bad.* | sort -u | head -n 80
echo "tidy: $bad files with findings, $good clean"
exit 1
