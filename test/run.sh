#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The tests, as named stages. Without arguments all of them, in order, until the first failure:
#
#   test/run.sh                    # the gate
#   test/run.sh unit e2e           # some stages
#   test/run.sh --list
#
# The last line is `N passed, N failed[, N skipped]`, counted over everything that ran. What cannot
# run on a machine (no dockerd, no cgroup …) is skipped by name and counted; it is never silent.
# What takes longer than the gate allows lives in test/full.
#
# Environment: FUZZ_SECONDS (60) per target, TIDY_SECONDS (150), TIDY_BASE (commit), JOBS (nproc),
# KILL_ROUNDS (25), RANDOM_SEEDS (1-72), RANDOM_SECONDS (0, more with new seeds), FUZZ_GUEST_SECONDS
# (24), FUZZ_GUEST_SEED (100).
set -uo pipefail
cd "$(dirname "$0")/.." || exit 2
export LC_ALL=C.UTF-8 RUNHL_TOP=$PWD
# One compiler cache serves every clone of the tree.
export CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=1
export RUNHL_COUNTS  # file of "passed failed skipped" lines; stages and the scripts they call append
RUNHL_COUNTS=$(mktemp)
work=$(mktemp -d)
trap 'rm -rf "$RUNHL_COUNTS" "$work"' EXIT

all_stages=(packages format lint unit kvm tidy asan tsan fuzz release e2e syscalls userland random kill hostile upstream svm engines bench)
jobs=${JOBS:-$(nproc)}

count() { echo "$1 $2 ${3:-0}" >>"$RUNHL_COUNTS"; }
total() { awk -v c="$1" '{n += $c} END {print n + 0}' "$RUNHL_COUNTS"; }
skip() {
  echo "SKIPPED: $*"
  count 0 0 1
}

# Runs a command quietly; shows its output only when it fails.
quietly() {
  "$@" >"$work/log" 2>&1 && return 0
  grep -v "^\[[0-9]*/[0-9]*\] [BL]" "$work/log" | tail -n 60
  return 1
}

# One check, one count.
check() {
  local name=$1
  shift
  if quietly "$@"; then count 1 0; else
    echo "FAILED: $name"
    count 0 1
    return 1
  fi
}

build() {  # preset [targets…]
  local preset=$1
  shift
  quietly cmake --preset "$preset" && quietly cmake --build "build/$preset" -j "$jobs" ${1:+--target "$@"} && return 0
  echo "FAILED: build of preset $preset"
  count 0 1
  return 1
}

# ctest with what it counted: a skipped test is counted as skipped, no test at all is a failure.
run_ctest() {  # dir label [ctest options…]
  local dir=$1 label=$2 status=0 n
  shift 2
  (cd "$dir" && ${ctest_wrap:-} ctest -L "$label" -j "$jobs" --output-on-failure --no-tests=error \
    --output-junit "$work/junit.xml" "$@") >"$work/ctest" 2>&1 </dev/null || status=1
  n() { grep -o "$1=\"[0-9]*\"" "$work/junit.xml" 2>/dev/null | head -n 1 | tr -dc 0-9; }
  local tests failed skipped disabled
  tests=$(n tests) failed=$(n failures) skipped=$(n skipped) disabled=$(n disabled)
  skipped=$((${skipped:-0} + ${disabled:-0}))
  if [ "$status" -ne 0 ] && [ "${failed:-0}" -eq 0 ]; then failed=1 tests=$((${tests:-0} + 1)); fi
  count $((${tests:-0} - ${failed:-0} - skipped)) "${failed:-0}" "$skipped"
  if [ "$skipped" -gt 0 ]; then grep -E 'Skipped\)|\*\*\*Skipped' "$work/ctest" | sort -u; fi
  [ "$status" -eq 0 ] && return 0
  tail -n 80 "$work/ctest"
  return 1
}

stage_packages() { check packages packaging/install-packages.sh; }

our_cxx() { git ls-files -co --exclude-standard '*.h' '*.cc' '*.c'; }

stage_format() {
  our_cxx | xargs -r clang-format-19 --dry-run -Werror >"$work/format" 2>&1
  if [ -s "$work/format" ]; then
    grep -E 'error:|warning:' "$work/format" | cut -d: -f1 | sort | uniq -c
    echo "FAILED: format (clang-format-19 -i mends it)"
    count 0 1
    return 1
  fi
  count 1 0
}

stage_lint() {
  local script status=0
  for script in test/lint/*.sh; do
    check "$script" bash "$script" || status=1
  done
  return $status
}

stage_unit() {
  build dev || return 1
  check guest-statics bash test/lint-built/guest_statics.sh build/dev || return 1
  run_ctest build/dev unit
}

# Hand-assembled guests, on the software CPU and on /dev/kvm, be it one that only emulates.
stage_kvm() { build dev && run_ctest build/dev kvm -j 1; }

stage_tidy() { quietly cmake --preset tidy && bash test/support/tidy.sh build/tidy; }

stage_asan() { build asan && run_ctest build/asan unit; }

# The thread sanitizer of GCC 12 does not know the address-space layout of newer kernels' ASLR.
stage_tsan() {
  quietly cmake --preset tsan || return 1
  local t targets=()
  for t in runhl_vmm_test runhl_shim_test runhl_guest_sched_test; do
    if ninja -C build/tsan -t query "$t" >/dev/null 2>&1; then targets+=("$t"); else skip "tsan: no $t"; fi
  done
  [ ${#targets[@]} -gt 0 ] || return 0
  quietly setarch -R cmake --build build/tsan -j "$jobs" --target "${targets[@]}" || {
    echo "FAILED: build of preset tsan"
    count 0 1
    return 1
  }
  # The filter's rules are executed in forked children, which this sanitizer's run time does not
  # survive: dev and asan run them. Nor is the printer of docs/syscalls.md built here.
  local ctest_wrap="setarch -R"
  run_ctest build/tsan unit -E 'Is_enforced_by_the_host|^docs\.'
}

stage_fuzz() {
  local targets
  quietly cmake --preset fuzz || return 1
  targets=$(ninja -C build/fuzz -t targets all 2>/dev/null | sed -n 's/^\([a-z_]*_fuzz\): .*/\1/p')
  if [ -z "$targets" ]; then
    skip "fuzz: no target"
    return 0
  fi
  # shellcheck disable=SC2086  # one word a target
  build fuzz $targets && bash test/support/fuzz.sh build/fuzz
}

# Builds and installs as a person does; everything below runs what was installed.
stage_release() { check release packaging/install.sh --prefix "$PWD/build/installed"; }

installed() {
  export RUNHL=$PWD/build/installed/bin/runhl
  [ -x "$RUNHL" ] || stage_release
}

# The same script against the peers: what they pass is what a case may ask for.
stage_e2e() {
  local peer
  installed && RUNTIME=runhl bash test/e2e/run.sh || return 1
  for peer in runc crun; do
    if [ "$(id -u)" -ne 0 ] || ! command -v $peer >/dev/null; then
      skip "e2e with $peer: not root, or none installed"
      continue
    fi
    RUNTIME=$peer bash test/e2e/run.sh || return 1
  done
}

# Programs that pass on Linux first, then in the guest.
stage_syscalls() {
  if [ "$(id -u)" -ne 0 ] || ! command -v runc >/dev/null; then
    skip "syscalls: not root, or no runc to show what Linux does"
    return 0
  fi
  build dev syscall_tests && installed && bash test/syscalls/run.sh
}

# Random programs beside Linux, with the seeds that were kept; then random calls that only must end.
stage_random() {
  if [ "$(id -u)" -ne 0 ] || ! command -v runc >/dev/null; then
    skip "random: not root, or no runc to show what Linux does"
    return 0
  fi
  installed && SEEDS=${RANDOM_SEEDS:-1-72} bash test/random/run.sh "${RANDOM_SECONDS:-0}" &&
    SEED=${FUZZ_GUEST_SEED:-100} bash test/fuzz_guest/run.sh "${FUZZ_GUEST_SECONDS:-24}"
}

# Real programs, guest against Linux: the quick part of test/full/userland.sh.
stage_userland() {
  if [ "$(id -u)" -ne 0 ] || ! command -v runc >/dev/null; then
    skip "userland: not root, or no runc to show what Linux does"
    return 0
  fi
  installed && bash test/full/userland.sh --quick
}

stage_kill() {
  if [ "$(id -u)" -ne 0 ]; then
    skip "kill: not root"
    return 0
  fi
  installed && bash test/full/kill_rounds.sh "${KILL_ROUNDS:-25}" && bash test/full/durable_rounds.sh 6
}

stage_hostile() { build dev && run_ctest build/dev hostile -j 1; }

# Unmodified upstream kernels on the software CPU; cargo fetches them, where there is one.
stage_upstream() {
  installed || return 1
  local status=0 bin
  bin=$(dirname "$RUNHL")
  bash test/upstream/run.sh || status=1
  bash test/upstream/library.sh || status=1
  bash test/upstream/containers.sh || status=1
  python3 test/upstream/g1/run.py "$bin/hyperlight-unikraft" || status=1
  return $status
}

# KVM in a machine whose SVM qemu emulates: under a minute, several on a busy host.
stage_svm() {
  build dev runhl_guests_test && installed && MACHINE_SECONDS=${MACHINE_SECONDS:-200} bash test/full/svm.sh
}

stage_engines() {
  local missing
  for missing in dockerd containerd ctr docker; do
    if ! command -v "$missing" >/dev/null; then
      skip "engines: no $missing"
      return 0
    fi
  done
  if [ "$(id -u)" -ne 0 ]; then
    skip "engines: not root"
    return 0
  fi
  installed && bash test/e2e/engines/docker.sh && bash test/e2e/engines/ctr.sh &&
    bash test/e2e/engines/images.sh && bash test/e2e/engines/upstream.sh
}

# That every line of the table can be measured; the figures of a shared machine prove nothing.
stage_bench() {
  installed && check bench bash test/bench/run.sh --smoke &&
    check 'bench images' bash test/bench/images.sh --smoke
}

stages=()
for arg; do
  case $arg in
    --list) printf '%s\n' "${all_stages[@]}" && exit 0 ;;
    *)
      declare -F "stage_$arg" >/dev/null || { echo "test/run.sh: no stage $arg (try --list)" >&2; exit 2; }
      stages+=("$arg")
      ;;
  esac
done
[ ${#stages[@]} -gt 0 ] || stages=("${all_stages[@]}")

status=0
for stage in "${stages[@]}"; do
  began=$SECONDS
  echo "== $stage"
  failed_before=$(total 2)
  if ! "stage_$stage"; then
    status=1
    [ "$(total 2)" -gt "$failed_before" ] || count 0 1
  elif [ "$(total 2)" -gt "$failed_before" ]; then
    status=1
  fi
  echo "-- $stage: $((SECONDS - began)) s"
  if [ "$status" -ne 0 ]; then
    echo "stage $stage failed; run it alone: test/run.sh $stage"
    break
  fi
done

skipped=$(total 3)
echo "$(total 1) passed, $(total 2) failed$([ "$skipped" -eq 0 ] || echo ", $skipped skipped")"
exit $status
