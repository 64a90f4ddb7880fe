#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# How many of a program's system calls need no host signal, after it has warmed up: counters of
# `runhl events --stats`, read twice while it runs. At least 99 of 100 are wanted.
#
#   RUNHL=/path/to/runhl test/full/fast_path.sh [--out docs/results/DATE-fast-path.md] [PROGRAM…]
#
# Programs: bash perl python3 go musl. USERLAND_TREE as in userland.sh.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 2
export LC_ALL=C.UTF-8 RUNHL_TOP=$PWD
RUNHL=$(realpath "${RUNHL:-build/installed/bin/runhl}")
out=
if [ "${1:-}" = --out ]; then out=$2 && shift 2; fi
[ "$(id -u)" -eq 0 ] || { echo "fast_path: needs root" >&2; exit 2; }
[ -x "$RUNHL" ] || { echo "fast_path: no $RUNHL" >&2; exit 2; }
tree=${USERLAND_TREE:-/var/cache/runhl-test/bookworm}
bash test/support/make_debian.sh "$tree" || exit 2
userland_dir=$(mktemp -d /tmp/runhl-fast-path.XXXXXX)
trap 'rm -rf "$userland_dir"' EXIT
. test/support/userland.sh
wanted=9900  # of 10 000
warm=${WARM_CALLS:-20000} measured=${MEASURED_CALLS:-200000}

counter() { "$RUNHL" --root "$userland_dir/root" events --stats "$id" | jq ".data.runhl.counters.$1"; }

# Until the program has made that many calls more than at `from`.
wait_for_calls() {  # from more
  local tries=0
  until [ $(($(counter fast_syscalls) + $(counter trapped_syscalls) - $1)) -ge "$2" ]; do
    tries=$((tries + 1))
    [ "$tries" -lt 600 ] || { echo "FAILED: $program makes no calls: $(head -c 300 "$userland_dir/log")" && return 1; }
    sleep 0.1
  done
}

measure() {  # program
  local program=$1 id=fast-$$-$1 fast trapped share
  mkdir -p "$userland_dir/bundle"
  suite_config -- sh "/suite/fast_path/$program.sh"
  "$RUNHL" --root "$userland_dir/root" create --bundle "$userland_dir/bundle" "$id" >"$userland_dir/log" 2>&1 </dev/null &&
    "$RUNHL" --root "$userland_dir/root" start "$id" || { cat "$userland_dir/log"; return 1; }
  wait_for_calls 0 "$warm" || return 1
  fast=$(counter fast_syscalls) trapped=$(counter trapped_syscalls)
  wait_for_calls $((fast + trapped)) "$measured" || return 1
  fast=$(($(counter fast_syscalls) - fast)) trapped=$(($(counter trapped_syscalls) - trapped))
  "$RUNHL" --root "$userland_dir/root" delete --force "$id" >/dev/null 2>&1
  share=$((fast * 10000 / (fast + trapped)))
  printf '%-8s %8d calls, %6d trapped, %3d.%02d%% on the fast path\n' "$program" $((fast + trapped)) "$trapped" $((share / 100)) $((share % 100)) |
    tee -a "$userland_dir/table"
  [ "$share" -ge "$wanted" ] || { echo "FAILED: $program" && return 1; }
}

[ $# -gt 0 ] || set -- bash perl python3 go musl
passed=0 failed=0
for program; do
  if measure "$program"; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
  "$RUNHL" --root "$userland_dir/root" delete --force "fast-$$-$program" >/dev/null 2>&1
done
if [ -n "$out" ]; then
  {
    echo '<!-- SPDX-License-Identifier: Apache-2.0 -->'
    echo "# $(date +%F): system calls on the fast path (\`cell\`)"
    echo
    echo "\`test/full/fast_path.sh\`, Debian 12, Linux $(uname -r | cut -d. -f1,2): after $warm calls, over $measured more, by the counters of \`runhl events --stats\`."
    echo
    sed 's/^/    /' "$userland_dir/table"
  } >"$out"
fi
echo "fast path: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
