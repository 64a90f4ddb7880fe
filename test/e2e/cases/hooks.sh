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

# Hooks of the kind startContainer run in the container, as the user of its process.

case_start_container_runs_inside_before_the_program() {
  make_bundle '.process.cwd = "/work" | .process.user = {uid: 1000, gid: 100, umask: 63} | .process.env += ["ONLY=program"]'
  mkdir "$bundle/rootfs/work"
  chmod 777 "$bundle/rootfs/work"
  args sh -c 'cat order first second'
  edit '.hooks.startContainer = [
    {path: "/bin/sh", args: ["sh", "-c", "cat >state; id -u >first; id -g >>first; pwd >>first; umask >>first; hostname >>first; env | grep -v -e PWD -e SHLVL | sort >>first; echo one >>order", "x"], env: ["PATH=/bin", "MINE=hook"]},
    {path: "/bin/sh", args: ["sh", "-c", "echo $0 $PPID >second; echo two >>order", "argument"], env: ["PATH=/bin"]}]'
  create_it
  [ ! -e "$bundle/rootfs/work/order" ] || fail "it ran before start"
  start_it
  wait_until is_state stopped
  expect_eq "$(cat "$dir/c.out")" "$(printf '%s\n' one two 1000 100 /work 0077 "$(jq -r .hostname "$bundle/config.json")" MINE=hook PATH=/bin 'argument 1')" "from inside"
  # crun: "starting", 0 and the working directory
  [ "$RUNTIME" = crun ] || expect_eq "$(jq -r '.id, .status, .pid, .bundle' "$bundle/rootfs/work/state")" "$(printf '%s\n' "$id" created 1 "$bundle")" state
  force_delete
}

case_start_container_gets_a_state_larger_than_a_pipe() {
  make_bundle '.annotations = {big: ([range(20000) | tostring] | join(" "))}'
  args cat /count
  hook startContainer 'wc -c >/count'
  run_it
  expect_status 0
  [ "$(cat "$dir/out")" -gt 100000 ] || fail "the state was cut"
}

case_start_container_streams_are_its_own() {
  make_bundle
  args echo body
  hook startContainer 'head -c 1048576 /dev/zero | tr "\0" x; head -c 1048576 /dev/zero >&2; exec <&-; exit 0'
  run_it
  expect_status 0
  expect_out body
  [ ! -s "$dir/err" ] || fail "it wrote to the container's stderr"
}

# The program is what the hooks have made of it.
case_start_container_may_change_the_program() {
  make_bundle
  printf '#!/bin/sh\necho old\n' >"$bundle/rootfs/bin/it"
  chmod 755 "$bundle/rootfs/bin/it"
  args it
  hook startContainer 'printf "#!/bin/sh\necho new\n" >/bin/it'
  run_it
  expect_status 0
  expect_out new
}

case_start_container_leaves_its_children_to_pid_1() {
  make_bundle
  args sh -c 'until [ -e /child ]; do :; done; read -r child </child; read -r _ _ _ parent _ </proc/$child/stat; echo $parent'
  hook startContainer 'sleep 100 >/dev/null 2>&1 & echo $! >/child.new; mv /child.new /child'
  run_it
  expect_status 0
  expect_out 1
}

start_container_fails() {  # word in stderr
  args echo body
  run_it
  expect_status 1
  expect_out ''
  [ "$RUNTIME" = crun ] || expect_in err "$1"  # crun: the exit code alone
  [ "$RUNTIME" != runhl ] || expect_one_line_error /hooks/startContainer/0
}

case_start_container_failing() {
  make_bundle
  hook startContainer 'echo some words; echo hook says no >&2; exit 3'
  hook startContainer 'touch /second'
  start_container_fails 'hook says no'
  [ ! -e "$bundle/rootfs/second" ] || fail "the next one ran"
}

case_start_container_missing() {
  make_bundle '.hooks.startContainer = [{path: "/no/such/hook"}]'
  start_container_fails 'no such file or directory'
}

case_start_container_killed() {
  make_bundle
  hook startContainer 'kill -9 $$'
  start_container_fails 'kill'
}

case_start_container_hanging_with_timeout() {
  make_bundle
  hook startContainer 'exec sleep 1000' 1
  start_container_fails 'timeout'
}

# runc's start succeeds all the same: there the failure is the container's end alone.
case_start_container_failing_after_start() {
  make_bundle
  args echo body
  hook startContainer 'exit 3'
  hook poststart "touch $dir/poststart"
  create_it
  try start "$id"
  if [ "$RUNTIME" = runhl ]; then
    expect_status 1
    expect_one_line_error '/hooks/startContainer/0: /bin/sh: exit status 3'
    [ ! -e "$dir/poststart" ] || fail "poststart ran"
  fi
  wait_until is_state stopped
  [ ! -s "$dir/c.out" ] || fail "the program ran"
  force_delete
}

case_start_container_is_killed_with_the_container() {
  make_bundle
  args echo body
  hook startContainer 'echo here >/here; exec sleep 1000'
  create_it
  rt start "$id" >/dev/null 2>&1 </dev/null &
  wait_until test -e "$bundle/rootfs/here"
  [ "$RUNTIME" = crun ] || is_state created || fail "not created"  # crun: running
  rt kill "$id" TERM  # as the first process has no handler for it
  if [ "$RUNTIME" = runhl ]; then  # runc's would make its second caller wait as well
    try start "$id"
    expect_status 1
    expect_in err 'already running'
  fi
  rt kill "$id" KILL
  wait_until is_state stopped
  wait
  force_delete
}

case_start_container_before_poststart() {
  only runhl crun "runc 1.1 runs poststart hooks at the end of create"
  make_bundle
  args echo body
  hook startContainer 'sleep .2; touch /ran'
  hook poststart "test -e $bundle/rootfs/ran"
  run_it
  expect_status 0
  expect_out body
}

case_start_container_with_run_detached() {
  make_bundle
  args sh -c 'test -e /ran && exec sleep 100'
  hook startContainer 'touch /ran'
  rt run -d --bundle "$bundle" "$id" </dev/null >"$dir/out" 2>"$dir/err" || fail "run -d"
  is_state running || fail "not running"
  rt kill "$id" KILL
  wait_until is_state stopped
  force_delete
}

case_start_container_program_is_looked_for_at_create() {
  make_bundle
  args /no/such/program
  hook startContainer 'touch /ran'
  try create --bundle "$bundle" "$id"
  expect_status 1
  grep -qi 'no such file or directory' "$dir/err" || fail "the error does not say why"
}
