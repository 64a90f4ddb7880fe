# SPDX-License-Identifier: Apache-2.0
# The hooks of config.json, run on the host around a life.

hook() {  # kind script [timeout]
  edit --arg kind "$1" --arg script "$2" --argjson timeout "${3:-null}" \
    '.hooks[$kind] += [{path: "/bin/sh", args: ["sh", "-c", $script], env: ["PATH=/usr/bin:/bin", "WHICH=" + $kind]}
       + (if $timeout then {timeout: $timeout} else {} end)]'
}

case_all_kinds_in_order() {
  local kind
  make_bundle
  args echo body
  for kind in prestart createRuntime createContainer poststart poststop; do
    hook "$kind" "echo \$WHICH >>$dir/order; cat >$dir/state.$kind"
  done
  run_it
  expect_status 0
  expect_out body
  expect_eq "$(paste -sd' ' "$dir/order")" "prestart createRuntime createContainer poststart poststop" order
  for kind in prestart createRuntime createContainer poststart poststop; do
    expect_eq "$(jq -r '.id, .bundle' "$dir/state.$kind")" "$(printf '%s\n' "$id" "$bundle")" "stdin of $kind"
  done
  expect_eq "$(jq -r .status "$dir/state.poststop")" stopped "status for poststop"
}

# Docker's networking: the hook gets a pid that lives in the container's new network namespace.
case_prestart_sees_the_namespace() {
  needs_root
  make_bundle
  args cat /proc/net/dev
  hook prestart "pid=\$(jq -r .pid); readlink /proc/\$pid/ns/net >$dir/ns"
  create_it
  grep -q '^net:' "$dir/ns" || fail "no namespace"
  [ "$(cat "$dir/ns")" != "$(readlink /proc/self/ns/net)" ] || fail "it is the host's"
  expect_eq "$(readlink "/proc/$(cat "$dir/pid")/ns/net")" "$(cat "$dir/ns")" "namespace of the pid"
  force_delete
}

failing() {  # kind
  make_bundle
  args echo body
  hook "$1" 'echo hook says no >&2; exit 3'
  run_it
  if [ "$RUNTIME" = crun ]; then [ "$status" -ne 0 ] || fail "no failure"; else expect_status 1; fi  # crun: 255
  grep -qi hook "$dir/err" || fail "the error does not speak of a hook"
}
case_failing_prestart() { failing prestart; }
case_failing_create_runtime() { failing createRuntime; }
case_failing_create_container() { failing createContainer; }

case_failing_poststop_is_a_warning() {
  make_bundle
  args echo body
  hook poststop 'exit 3'
  run_it
  expect_out body
}

case_hanging_hook_with_timeout() {
  make_bundle
  args echo body
  hook createRuntime "echo \$\$ >$dir/hookpid; exec sleep 1000" 1
  run_it
  expect_status 1
  expect_out ''
  wait_until test ! -d "/proc/$(cat "$dir/hookpid")"
}

case_hook_with_much_output() {
  make_bundle
  args echo body
  hook createRuntime 'head -c 1048576 /dev/zero | tr "\0" x; head -c 1048576 /dev/zero | tr "\0" y >&2'
  run_it
  expect_status 0
  [ "$RUNTIME" = crun ] || expect_out body  # crun's hooks write to its own streams
}

case_hook_missing() {
  make_bundle
  args echo body
  edit '.hooks.createRuntime = [{path: "/no/such/hook"}]'
  run_it
  [ "$RUNTIME" = crun ] || expect_status 1  # crun: 255
  [ "$RUNTIME" = crun ] || expect_in err /no/such/hook
}

case_hook_that_ignores_its_input() {
  make_bundle
  edit '.annotations = {big: ([range(20000) | tostring] | join(" "))}'
  args echo body
  hook createRuntime 'exec <&-; exit 0'
  run_it
  expect_status 0
  expect_out body
}

case_start_container_hook_is_refused() {
  only runhl "runs inside the container, which comes later"
  make_bundle
  args echo body
  edit '.hooks.startContainer = [{path: "/bin/true"}]'
  run_it
  expect_status 1
  expect_one_line_error /hooks/startContainer
}
