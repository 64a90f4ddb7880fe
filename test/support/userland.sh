# SPDX-License-Identifier: Apache-2.0
# Suites of real programs, on Linux (a container of runc) and, unchanged and from the same tree, in
# a guest. test/full/userland.sh and test/e2e/cases/userland.sh source it.
#
#   userland_dir=DIR             where bundles and logs go;  $tree: the root file system
#   run_suite RUNTIME SUITE…     its record (test/full/userland/prelude.sh) into DIR/SUITE.RUNTIME
#   compare_suite SUITE…         prints what differs; adds to $suite_passed and $suite_failed
#
# Environment: RUNHL, RUN_OPTIONS (of the guest), SUITE_SECONDS (600).

: "${RUNHL_TOP:?}" "${userland_dir:?}" "${tree:?}"

suite_caps='["CAP_CHOWN","CAP_DAC_OVERRIDE","CAP_FSETID","CAP_FOWNER","CAP_MKNOD","CAP_NET_RAW","CAP_SETGID","CAP_SETUID",
             "CAP_SETFCAP","CAP_SETPCAP","CAP_NET_BIND_SERVICE","CAP_SYS_CHROOT","CAP_KILL","CAP_AUDIT_WRITE"]'

# docker's defaults for root, a tmpfs at /tmp, and /suite.
suite_config() {  # environment… -- args…
  local environment=()
  while [ "$1" != -- ]; do environment+=("$1") && shift; done
  shift
  jq --argjson caps "$suite_caps" --arg tree "$tree" --arg suite "$RUNHL_TOP/test/full/userland" \
    --argjson environment "$(printf '%s\n' "${environment[@]}" | jq -Rnc '[inputs | select(. != "")]')" --args '
    .process.args = $ARGS.positional | .root = {path: $tree, readonly: false} | .process.noNewPrivileges = false
    | .process.rlimits = [{type: "RLIMIT_NOFILE", hard: 4096, soft: 1024}] | .process.env += ["HOME=/root"] + $environment
    | .process.capabilities = {bounding: $caps, permitted: $caps, effective: $caps}
    | .mounts += [{destination: "/tmp", type: "tmpfs", source: "tmpfs", options: ["nosuid", "nodev", "mode=1777"]},
                  {destination: "/suite", type: "bind", source: $suite, options: ["bind", "ro"]}]
    ' -- "$@" <"$RUNHL_TOP/test/support/config.json" >"$userland_dir/bundle/config.json"
}

# A suite is SUITE.sh; what follows a colon is its argument (applets:busybox, python:test_os).
run_suite() {  # runtime suite…
  local runtime=$1 bin=${RUNHL:-} suite id options=()
  [ "$runtime" = runhl ] && read -ra options <<<"${RUN_OPTIONS:-}" || bin=$(command -v "$runtime")
  shift
  mkdir -p "$userland_dir/bundle"
  for suite; do
    id=userland-$$-$RANDOM
    [ "${suite%%:*}" != applets ] || bash "$RUNHL_TOP/test/support/work_tree.sh" "$tree"
    suite_config "SUITE_ARGUMENT=${suite#"${suite%%:*}"}" -- bash "/suite/${suite%%:*}.sh"
    timeout -k 5 "${SUITE_SECONDS:-600}" "$bin" --root "$userland_dir/root" run "${options[@]}" \
      --bundle "$userland_dir/bundle" "$id" >"$userland_dir/$suite.$runtime" 2>"$userland_dir/$suite.$runtime.err" </dev/null
    printf '\036[end of suite]\nexit status %s\n' "$?" >>"$userland_dir/$suite.$runtime"
    "$bin" --root "$userland_dir/root" delete --force "$id" >/dev/null 2>&1 </dev/null
  done
}

# Cases of a record into the named array: name -> output.
read_cases() {  # array file
  local -n cases=$1
  local record records
  mapfile -t -d $'\036' records < <(tr '\0' '\1' <"$2")
  for record in "${records[@]:1}"; do
    record=${record%$'\036'}
    cases[${record%%$'\n'*}]=${record#*$'\n'}
  done
}

# differences.txt names what is known to differ: counted as skipped, and a failure once it does not.
compare_suite() {  # suite…
  local suite name passed failed skipped
  local known=$RUNHL_TOP/test/full/userland/differences.txt
  for suite; do
    local -A linux=() guest=()
    read_cases linux "$userland_dir/$suite.runc"
    read_cases guest "$userland_dir/$suite.runhl"
    passed=0 failed=0 skipped=0
    for name in "${!linux[@]}"; do
      if [ "${linux[$name]}" = "${guest[$name]-}" ]; then
        if grep -qxF -- "$suite $name" "$known"; then
          echo "FAILED: $suite $name: is as on Linux, yet $known names it"
          failed=$((failed + 1))
        else
          passed=$((passed + 1))
        fi
      elif grep -qxF -- "$suite $name" "$known"; then
        skipped=$((skipped + 1))
      else
        echo "FAILED: $suite ${name:0:200}"
        diff -a --label linux --label guest -u <(echo "${linux[$name]}") <(echo "${guest[$name]-no such case}") | head -n "${LINES_OF_FAILURE:-12}"
        failed=$((failed + 1))
      fi
    done
    for name in "${!guest[@]}"; do
      [ -n "${linux[$name]+set}" ] || { echo "FAILED: $suite $name: in the guest alone" && failed=$((failed + 1)); }
    done
    [ "$passed" -gt 1 ] || { echo "FAILED: $suite: nothing ran: $(head -c 400 "$userland_dir/$suite".*.err)" && failed=$((failed + 1)); }
    echo "$suite: $passed as on Linux, $failed not, $skipped known to differ"
    suite_passed=$((${suite_passed:-0} + passed)) suite_failed=$((${suite_failed:-0} + failed))
    suite_skipped=$((${suite_skipped:-0} + skipped))
  done
}
