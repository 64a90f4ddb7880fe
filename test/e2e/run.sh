#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# End-to-end cases: the real runtime on real bundles, no engine.
#
#   RUNTIME=runhl RUNHL=/path/to/runhl test/e2e/run.sh [FILE…|NAME…]
#   RUNTIME=runc test/e2e/run.sh hello              # the same script against a peer
#
# One file of cases/ a feature, one function case_* a behaviour. Prints what failed or was skipped,
# then counts. VERBOSE=1 prints every case. KEEP=1 keeps the directory of a failed case.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 2
export LC_ALL=C.UTF-8 RUNHL_TOP=$PWD RUNTIME=${RUNTIME:-runhl}
case $RUNTIME in
  runhl) runtime_bin=${RUNHL:-$PWD/build/installed/bin/runhl} ;;
  *) runtime_bin=$(command -v "$RUNTIME") || { echo "no $RUNTIME"; exit 2; } ;;
esac
[ -x "$runtime_bin" ] || { echo "test/e2e: no $runtime_bin (packaging/install.sh --prefix build/installed)"; exit 2; }

# A mount namespace of our own: a leak is then seen without the machine's noise. crun 1.8 refuses a
# hybrid cgroup tree unless the (empty) unified part is out of sight: hidden, not unmounted, or it
# would make its directories in the machine's tmpfs beneath.
if [ "$(id -u)" -eq 0 ] && [ -z "${E2E_INSIDE:-}" ]; then
  export E2E_INSIDE=1
  exec unshare --mount --propagation private bash "$0" "$@"
fi
if [ -n "${E2E_INSIDE:-}" ] && [ "$RUNTIME" = crun ] && [ -d /sys/fs/cgroup/unified ]; then
  hidden_cgroups=/sys/fs/cgroup/unified  # where crun then leaves directories, in our tmpfs
  mount -n -t tmpfs none "$hidden_cgroups"
fi

runtime_real=$(readlink -f "$runtime_bin")
e2e_tag=e2e-$$
e2e_dir=$(mktemp -d /tmp/runhl-e2e.XXXXXX)
chmod 755 "$e2e_dir"
cleanup() {
  rmdir /sys/fs/cgroup/*/"$e2e_tag" 2>/dev/null
  [ -n "${KEEP:-}" ] && [ "$failed" -gt 0 ] && return
  rm -rf "$e2e_dir"
}
trap cleanup EXIT
passed=0 failed=0 skipped=0
. test/support/e2e.sh
bash test/support/make_rootfs.sh "$e2e_dir/rootfs" || exit 2
bash test/support/make_programs.sh "$e2e_dir/programs" || exit 2

run_case() {  # file function
  local name verdict=0 began=${EPOCHREALTIME/./}
  name=$(basename "$1" .sh)/${2#case_}
  dir=$e2e_dir/case
  rm -rf "$dir"
  mkdir -p "$dir"
  root=$dir/root id=$e2e_tag-${2#case_}
  id=${id//_/-} bundle=$dir/bundle
  leftovers >"$e2e_dir/before"
  (
    set -u
    "$2"
  ) >"$e2e_dir/said" 2>&1 || verdict=$?
  if [ -f "$dir/skipped" ] && [ "$verdict" -eq 78 ]; then
    echo "SKIPPED: e2e $RUNTIME $name: $(cat "$dir/skipped")"
    skipped=$((skipped + 1))
    return
  fi
  [ "$verdict" -eq 77 ] && return  # about another runtime
  # A second for what is being reaped; a clean case does not wait.
  local deadline=$((${EPOCHREALTIME/./} + 1000000))
  while leftovers >"$e2e_dir/after" && ! cmp -s "$e2e_dir/before" "$e2e_dir/after"; do
    if [ "${EPOCHREALTIME/./}" -gt "$deadline" ]; then
      { echo "      left behind:" && diff "$e2e_dir/before" "$e2e_dir/after" | grep '^[<>]'; } >>"$e2e_dir/said"
      [ "$verdict" -ne 0 ] || verdict=1
      rt delete --force "$id" >/dev/null 2>&1 </dev/null
      break
    fi
    sleep .02
  done
  if [ "$verdict" -eq 0 ]; then
    passed=$((passed + 1))
    if [ -n "${VERBOSE:-}" ]; then echo "ok $name ($(((${EPOCHREALTIME/./} - began) / 1000)) ms)"; fi
  else
    failed=$((failed + 1))
    echo "FAILED: e2e $RUNTIME $name"
    head -n 30 "$e2e_dir/said"
    if [ -n "${KEEP:-}" ]; then mv "$dir" "$e2e_dir/failed-$failed"; fi
  fi
}

cases() { declare -F | sed -n 's/^declare -f \(case_.*\)/\1/p'; }

for file in test/e2e/cases/*.sh; do
  for function in $(cases); do unset -f "$function"; done
  . "$file"
  names=$(cases)
  if [ $# -gt 0 ]; then
    wanted=
    for arg; do
      [ "$(basename "$arg" .sh)" = "$(basename "$file" .sh)" ] && wanted=$names
      grep -qx "case_$arg" <<<"$names" && wanted="$wanted case_$arg"
    done
    names=$wanted
  fi
  for function in $names; do run_case "$file" "$function"; done
done

[ -z "${RUNHL_COUNTS:-}" ] || echo "$passed $failed $skipped" >>"$RUNHL_COUNTS"
echo "e2e $RUNTIME: $passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ $((passed + skipped)) -gt 0 ]
