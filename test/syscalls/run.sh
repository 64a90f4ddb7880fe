#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Linux is the oracle: each program runs in a container of runc first, then, unchanged and from the
# same bundle, in a guest. A test counts as passed when it passes in both.
#
#   test/syscalls/run.sh [GROUP…]                       # io, rename, … ; all when none is named
#   FILTER='Io.*' test/syscalls/run.sh io               # gtest's filter
#   RUN_OPTIONS='--rootfs-mode initrd --cache /tmp/c' test/syscalls/run.sh    # the guest's root from an archive
#   USERS=0 SYSCALL_BUILD=build/dev RUNHL=build/dev/src/runhl test/syscalls/run.sh
#
# Every group runs as root with docker's capabilities and as uid 1000 without any. What the oracle
# skips (a test that needs root) does not count; what only the guest skips is a failure.
# known_failures.txt names what is known to fail: counted as skipped, and a failure once it passes.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 2
export LC_ALL=C.UTF-8
build=$(realpath "${SYSCALL_BUILD:-build/dev}") runhl=$(realpath "${RUNHL:-build/installed/bin/runhl}")
filter=${FILTER:-*} users=${USERS:-0 1000}
known=test/syscalls/known_failures.txt
[ "$(id -u)" -eq 0 ] || { echo "SKIPPED: syscalls: not root"; exit 77; }
[ -x "$runhl" ] || { echo "test/syscalls: no $runhl"; exit 2; }
if [ -z "${SYSCALLS_INSIDE:-}" ]; then
  SYSCALLS_INSIDE=1 exec unshare --mount --propagation private bash "$0" "$@"
fi

groups=("$@")
if [ ${#groups[@]} -eq 0 ]; then
  for source in test/syscalls/*_test.cc; do
    groups+=("$(basename "$source" _test.cc)")
  done
fi
work=$(mktemp -d /tmp/runhl-syscalls.XXXXXX)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
bundle=$work/bundle
mkdir -p "$bundle"
bash test/support/make_rootfs.sh "$bundle/rootfs" || exit 2
mkdir -p "$bundle/rootfs/tests"
mkdir -m 1777 "$bundle/rootfs/scratch"

# docker's default capabilities for root, none for others; a writable root, a tmpfs at /tmp.
caps='["CAP_CHOWN","CAP_DAC_OVERRIDE","CAP_FSETID","CAP_FOWNER","CAP_MKNOD","CAP_NET_RAW","CAP_SETGID","CAP_SETUID",
       "CAP_SETFCAP","CAP_SETPCAP","CAP_NET_BIND_SERVICE","CAP_SYS_CHROOT","CAP_KILL","CAP_AUDIT_WRITE"]'
make_config() {  # user program args…
  jq --argjson caps "$caps" --argjson user "$1" --args '
    .process.args = $ARGS.positional | .process.user = {uid: $user, gid: $user} | .root.readonly = false
    | .process.noNewPrivileges = false | .process.rlimits = [{type: "RLIMIT_NOFILE", hard: 1024, soft: 1024}]
    | .process.capabilities = {bounding: $caps, permitted: (if $user == 0 then $caps else [] end),
                               effective: (if $user == 0 then $caps else [] end)}
    | .mounts += [{destination: "/tmp", type: "tmpfs", source: "tmpfs", options: ["nosuid", "nodev", "mode=1777"]}]
    ' -- "${@:2}" <test/support/config.json >"$bundle/config.json"
}

# runc or runhl, one program to its end: its verdicts as "OK name", "FAILED name", "SKIPPED name".
run_once() {  # runtime user group filter log seconds
  local runtime=$1 bin=$runhl id=syscalls-$$-$RANDOM
  local options=()
  if [ "$runtime" = runhl ]; then read -ra options <<<"${RUN_OPTIONS:-}"; else bin=$(command -v "$runtime"); fi
  make_config "$2" "/tests/$3" "--gtest_filter=$4" --gtest_color=no --gtest_brief=0
  rm -rf "$bundle/rootfs/scratch/"*
  timeout -k 5 "$6" "$bin" --root "$work/root-$runtime" run "${options[@]}" --bundle "$bundle" "$id" >"$5" 2>&1 </dev/null
  "$bin" --root "$work/root-$runtime" delete --force "$id" >/dev/null 2>&1 </dev/null
  sed -nE 's/^\[ +(OK|FAILED|SKIPPED) +\] ([A-Za-z_0-9\/]+\.[A-Za-z_0-9\/]+)( \(.*|)$/\1 \2/p' "$5" | sort -u
}

# All verdicts of a group. A program that crashed or hung is continued test by test, so that one
# bad test is one failure.
run_group() {  # runtime user group out
  local name verdict
  run_once "$1" "$2" "$3" "$filter" "$4.log" 120 >"$4"
  for name in "${names[@]}"; do
    grep -q " $name\$" "$4" && continue
    verdict=$(run_once "$1" "$2" "$3" "$name" "$4.one" 20 | grep " $name\$" | head -n 1)
    echo "${verdict:-DIED $name}" >>"$4"
    cat "$4.one" >>"$4.log"
  done
}

list_names() {  # program
  "$1" --gtest_list_tests --gtest_filter="$filter" |
    awk '/^[^ ]/ {sub(/ *#.*/, ""); suite = $1; next} {print suite $1}'
}

is_known() { grep -q "^$1 " "$known"; }

why() {  # log name: what gtest said of it
  awk -v begin="[ RUN      ] $2" -v end="] $2" '
    $0 == begin {on = 1; next} on && index($0, end) {exit} on' "$1" | head -n "${LINES_OF_FAILURE:-12}"
}

passed=0 failed=0 skipped=0
for group in "${groups[@]}"; do
  program=$build/test/syscalls/syscall_${group}_test
  [ -x "$program" ] || { echo "FAILED: no $program (cmake --build build/dev --target syscall_tests)"; failed=$((failed + 1)); continue; }
  cp "$program" "$bundle/rootfs/tests/$group"
  mapfile -t names < <(list_names "$program")
  for user in $users; do
    run_group runc "$user" "$group" "$work/linux"
    run_group runhl "$user" "$group" "$work/guest"
    for name in "${names[@]}"; do
      linux=$(grep " $name\$" "$work/linux" | cut -d' ' -f1) guest=$(grep " $name\$" "$work/guest" | cut -d' ' -f1)
      case $linux-$guest in
        SKIPPED-*) ;;
        OK-OK)
          if is_known "$name"; then
            echo "FAILED: $group $name (uid $user): passes, yet $known names it"
            failed=$((failed + 1))
          else
            passed=$((passed + 1))
            [ -z "${VERBOSE:-}" ] || echo "ok $group $name (uid $user)"
          fi
          ;;
        OK-*)
          if is_known "$name"; then
            echo "SKIPPED: $group $name (uid $user): known failure"
            skipped=$((skipped + 1))
            continue
          fi
          echo "FAILED: $group $name (uid $user): $guest in the guest"
          why "$work/guest.log" "$name"
          [ "$guest" != DIED ] || tail -n 4 "$work/guest.log"
          failed=$((failed + 1))
          ;;
        *)
          echo "FAILED: $group $name (uid $user): $linux on Linux itself"
          why "$work/linux.log" "$name"
          failed=$((failed + 1))
          ;;
      esac
    done
  done
done
[ -z "${RUNHL_COUNTS:-}" ] || echo "$passed $failed $skipped" >>"$RUNHL_COUNTS"
echo "syscalls: $passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
