# SPDX-License-Identifier: Apache-2.0
# Runs the case_* functions of an engine script: each with runc first, then with the runtime under
# test, and compares what they print. Then ends the engines and looks for what is left.
#
# A case may use: $rt (value for --runtime)  $runtime_path  $name (a container's name)  $dir

wait_until() {
  local tries=0
  until "$@" 2>/dev/null; do
    tries=$((tries + 1))
    if [ "$tries" -ge 250 ]; then
      echo "never became true: $*"
      return 1
    fi
    sleep .04
  done
}

# Of the machine, whatever the engines were: all of it must be as before when they are gone.
engine_leftovers() {
  find /proc -maxdepth 2 -name exe -path '/proc/[0-9]*' -printf 'process %p %l\n' 2>/dev/null |
    grep -E " ($runtime_path|/usr/bin/containerd.*|/usr/sbin/dockerd)$" | sed 's|/exe | |'
  sed 's/^[0-9]* [0-9]* /mount /' /proc/self/mountinfo
  find /sys/fs/cgroup -mindepth 2 -path "*/$engines_tag*" -type d 2>/dev/null | sed 's/^/cgroup /'
  find /run -maxdepth 2 ! -path '/run/runhl/uids' 2>/dev/null | sed 's/^/run /'
  ip -o link | sed 's/^/link /'
}

# First line of a case: what the guest kernel does not have yet. Counted, never silent.
not_yet() {
  [ "$under_test" = runhl ] || return 1
  echo "the guest has no $1 yet" >"$dir/skipped"
}

engine_cases() {
  if [ "$(id -u)" -ne 0 ]; then
    echo "engines: needs root" >&2
    exit 2
  fi
  local under_test=${RUNTIME:-runhl} case passed=0 failed=0 skipped=0 cases wanted=" $* "
  case $under_test in
    runhl) runtime_path=${RUNHL:-$PWD/build/installed/bin/runhl} ;;
    *) runtime_path=$(command -v "$under_test") ;;
  esac
  [ -x "$runtime_path" ] || { echo "engines: no $runtime_path" >&2; exit 2; }
  runtime_path=$(readlink -f "$runtime_path")
  engines_tag=runhl-test-$$
  dir=$(mktemp -d /tmp/re.XXXXXX)
  mkdir "$dir/e"
  # shellcheck disable=SC2064
  trap "engines_stop 2>/dev/null; rm -rf $dir" EXIT
  trap 'exit 143' TERM INT HUP
  engine_leftovers >"$dir/before"
  engines_start "$dir/e" "$runtime_path" && engines_image || exit 2

  cases=$(sed -n 's/^\(case_[a-z0-9_]*\)() .*/\1/p' "$0")
  for case in $cases; do
    [ $# -eq 0 ] || [[ $wanted == *" ${case#case_} "* ]] || continue
    rt=runc name=c-${case#case_}-runc
    "$case" >"$dir/wanted" 2>&1 </dev/null
    rt=$under_test name=c-${case#case_}-it
    "$case" >"$dir/got" 2>&1 </dev/null
    if [ -f "$dir/skipped" ]; then
      skipped=$((skipped + 1))
      echo "SKIPPED: $(basename "$0" .sh) ${case#case_}: $(cat "$dir/skipped")"
      rm "$dir/skipped"
    elif cmp -s "$dir/wanted" "$dir/got"; then
      passed=$((passed + 1))
      [ -z "${VERBOSE:-}" ] || { echo "ok ${case#case_}" && sed 's/^/      /' "$dir/got"; }
    else
      failed=$((failed + 1))
      echo "FAILED: $(basename "$0" .sh) ${case#case_} (< runc, > $under_test)"
      diff "$dir/wanted" "$dir/got" | head -n 20
    fi
  done

  engines_stop 2>/dev/null
  if settled; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    echo "FAILED: $(basename "$0" .sh): left behind"
    diff "$dir/before" "$dir/after" | grep '^[<>]'
  fi
  [ -z "${RUNHL_COUNTS:-}" ] || echo "$passed $failed $skipped" >>"$RUNHL_COUNTS"
  echo "$(basename "$0" .sh) $under_test: $passed passed, $failed failed, $skipped skipped"
  [ "$failed" -eq 0 ]
}

settled() {
  local deadline=$((${EPOCHREALTIME/./} + 1000000))
  while engine_leftovers >"$dir/after" && ! cmp -s "$dir/before" "$dir/after"; do
    [ "${EPOCHREALTIME/./}" -lt "$deadline" ] || return 1
    sleep .05
  done
}
