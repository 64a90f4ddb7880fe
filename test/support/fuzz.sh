#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs every fuzz target of a build directory for FUZZ_SECONDS (60), as many at once as there are
# cores. A target's seeds are in test/fuzz/corpus/<name>/, what it once crashed on too. A failing
# input is kept below build/fuzz-crashes and, where it is short, printed: another machine repeats it.
# FUZZ_SEED: where the random choices begin; the gate's 1 makes two runs much alike, 0 chooses anew.
#   fuzz.sh BUILD_DIR
set -uo pipefail
jobs=${JOBS:-$(nproc)}
export fuzz_seconds=${FUZZ_SECONDS:-60} fuzz_seed=${FUZZ_SEED:-1} fuzz_out
fuzz_out=$(mktemp -d)
trap 'rm -rf "$fuzz_out"' EXIT

one() {
  local name seeds dir
  name=$(basename "$1")
  seeds=test/fuzz/corpus/${name%_fuzz}
  dir=$fuzz_out/$name
  mkdir -p "$dir/new" "$dir/crash"
  # No leak check at exit: the machine's ptrace rules may forbid it, and asan's stage has it.
  if ASAN_OPTIONS=detect_leaks=0 "$1" -max_total_time="$fuzz_seconds" -seed="$fuzz_seed" -timeout=10 -rss_limit_mb=2048 \
    -max_len=65536 -print_final_stats=1 -artifact_prefix="$dir/crash/" "$dir/new" \
    $([ -d "$seeds" ] && echo "$seeds") >"$dir/log" 2>&1 </dev/null; then
    echo "$name: $(sed -n 's/^stat::number_of_executed_units: *//p' "$dir/log") runs"
    : >"$dir/good"
  else
    grep -E 'ERROR|SUMMARY|^    #[0-9] |runtime error' "$dir/log" | head -n 12
    for input in "$dir"/crash/*; do
      [ -f "$input" ] || continue
      mkdir -p "build/fuzz-crashes/$name" && cp "$input" "build/fuzz-crashes/$name/"
      echo "FAILED: $1 build/fuzz-crashes/$name/$(basename "$input")"
      [ "$(stat -c %s "$input")" -gt 2000 ] || base64 -w 0 "$input" | sed 's/.*/base64: &\n/'
    done
  fi
}
export -f one
find "$1" -type f -name '*_fuzz' -perm -u+x | sort | xargs -r -P "$jobs" -I{} bash -c 'one "$1"' _ {}

all=$(find "$fuzz_out" -mindepth 1 -maxdepth 1 -type d | wc -l)
good=$(find "$fuzz_out" -name good | wc -l)
[ -z "${RUNHL_COUNTS:-}" ] || echo "$good $((all - good)) 0" >>"$RUNHL_COUNTS"
[ "$good" -eq "$all" ]
