#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Random system calls inside a guest (fuzz_calls.cc), as root and as uid 1000: the guest kernel must
# not panic, the monitor must not err, and the container must end by itself with status 0.
#
#   test/fuzz_guest/run.sh [SECONDS]          # together, a seed of today (20)
#   SEED=7 test/fuzz_guest/run.sh 20
#   SEED=7 ROUND=31 test/fuzz_guest/run.sh 0  # a round that failed, again
#   OUT=docs/results/DATE-fuzz-guest.md test/fuzz_guest/run.sh 7200
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 2
export LC_ALL=C.UTF-8
seconds=${1:-20} seed=${SEED:-$(date +%s)} slice=${SLICE:-60}
runhl=$(realpath "${RUNHL:-build/installed/bin/runhl}")
[ "$(id -u)" -eq 0 ] || { echo "SKIPPED: fuzz_guest: not root"; exit 77; }
[ -x "$runhl" ] || { echo "test/fuzz_guest: no $runhl"; exit 2; }
if [ -z "${FUZZ_GUEST_INSIDE:-}" ]; then
  FUZZ_GUEST_INSIDE=1 exec unshare --mount --propagation private bash "$0" "$@"
fi
work=$(mktemp -d /tmp/runhl-fuzz-guest.XXXXXX)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
mkdir "$work/bundle"
g++ -std=c++20 -O1 -Wall -Wextra -Werror -static -o "$work/fuzz_calls" test/fuzz_guest/fuzz_calls.cc || exit 2

# Afresh for each: what its root may, it does to the root directory too.
make_rootfs() {
  rm -rf "$work/bundle/rootfs"
  mkdir -p "$work/bundle/rootfs"/{bin,proc,dev,sys,tmp}
  mkdir -m 1777 "$work/bundle/rootfs/scratch"
  cp "$work/fuzz_calls" "$work/bundle/rootfs/bin/"
}

caps='["CAP_CHOWN","CAP_DAC_OVERRIDE","CAP_FSETID","CAP_FOWNER","CAP_MKNOD","CAP_NET_RAW","CAP_SETGID","CAP_SETUID",
       "CAP_SETFCAP","CAP_SETPCAP","CAP_NET_BIND_SERVICE","CAP_SYS_CHROOT","CAP_KILL","CAP_AUDIT_WRITE"]'
passed=0 failed=0 rounds=0
one_container() {  # uid seconds
  local id=fuzz-$$-$RANDOM status=0 said
  jq --argjson caps "$caps" --argjson user "$1" --args '
    .process.args = ["/bin/fuzz_calls"] + $ARGS.positional | .process.cwd = "/scratch" | .root.readonly = false
    | .process.user = {uid: $user, gid: $user} | .process.rlimits = [{type: "RLIMIT_NOFILE", hard: 1024, soft: 1024}]
    | .process.capabilities = {bounding: $caps, permitted: (if $user == 0 then $caps else [] end),
                               effective: (if $user == 0 then $caps else [] end)}
    | .mounts += [{destination: "/tmp", type: "tmpfs", source: "tmpfs", options: ["nosuid", "nodev", "mode=1777", "size=64m"]}]
    ' -- "$seed" "$2" ${ROUND:+"$ROUND"} <test/support/config.json >"$work/bundle/config.json"
  make_rootfs
  timeout -k 5 $(($2 + 40)) "$runhl" --root "$work/state" run --bundle "$work/bundle" "$id" </dev/null 2>&1 | cat >"$work/said"
  status=${PIPESTATUS[0]}
  # Behind what the calls themselves may have written to the same descriptor.
  said=$(grep -aoE 'fuzz_calls: [0-9]+ rounds$' "$work/said" | tr -dc 0-9)
  "$runhl" --root "$work/state" delete --force "$id" >/dev/null 2>&1 </dev/null
  if [ "$status" -eq 0 ] && [ -n "$said" ]; then
    passed=$((passed + 1)) rounds=$((rounds + said))
  else
    failed=$((failed + 1))
    echo "FAILED: fuzz_guest: status $status, uid $1: SEED=$seed ROUND=$(cat "$work/bundle/rootfs/scratch/round" 2>/dev/null) test/fuzz_guest/run.sh 0"
    tail -n 120 "$work/said" | cat -v | cut -c1-200
  fi
}

while :; do
  part=$(((seconds - SECONDS) / 2))
  for uid in 0 1000; do
    one_container "$uid" $((part < 0 ? 0 : part < slice ? part : slice))
  done
  seed=$((seed + 1))
  [ $((seconds - SECONDS)) -gt 4 ] && [ "$failed" -lt "${MAX_FAILURES:-3}" ] || break
done
[ -z "${RUNHL_COUNTS:-}" ] || echo "$passed $failed 0" >>"$RUNHL_COUNTS"
summary="fuzz_guest: $passed passed, $failed failed"
echo "$summary ($rounds rounds)"
if [ -n "${OUT:-}" ]; then
  {
    echo '<!-- SPDX-License-Identifier: Apache-2.0 -->'
    echo "# Random system calls inside a guest, $(date -u +%F)"
    echo
    echo "Isolation: \`cell\`. $SECONDS s, $rounds rounds of four processes, by turns as root with docker's capabilities and as uid 1000 ($(uname -r)). $summary containers."
  } >"$OUT"
fi
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
