# SPDX-License-Identifier: Apache-2.0
# An ordinary user without any privilege: no cgroup, no subuid, no helper.

readonly someone=54321

as_someone() {  # command…
  setpriv --reuid $someone --regid $someone --clear-groups --inh-caps=-all \
    env -i PATH=/usr/bin:/bin XDG_RUNTIME_DIR="$dir/xdg" "$@"
}
rootless_bundle() {
  only runhl "runc and crun want a mapping in config.json"
  needs_root
  make_bundle 'del(.linux.resources)'
  [ $# -eq 0 ] || edit "$@"
  mkdir -p "$dir/xdg" "$dir/mine"
  chown -R $someone:$someone "$bundle" "$dir/xdg" "$dir/mine"
}
run_as_someone() {
  status=0
  as_someone "$@" "$runtime_bin" --root "$dir/mine/root" run --bundle "$bundle" "$id" \
    </dev/null >"$dir/out" 2>"$dir/err" || status=$?
}

case_user_runs_a_container() {
  rootless_bundle
  steps uname uid 'exit 9'
  run_as_someone
  expect_status 9
  expect_in out runhl
  expect_in out 0
}

case_user_default_root() {
  rootless_bundle
  args echo fine
  status=0
  as_someone "$runtime_bin" run --bundle "$bundle" "$id" </dev/null >"$dir/out" 2>"$dir/err" || status=$?
  expect_status 0
  expect_out fine
}

case_user_writes_are_the_users() {
  rootless_bundle
  args sh -c 'echo x >/new'
  run_as_someone
  expect_status 0
  expect_eq "$(stat -c %u "$bundle/rootfs/new")" $someone owner
}

case_user_cannot_read_what_is_not_theirs() {
  rootless_bundle
  echo secret >"$bundle/rootfs/secret"
  chown 0:0 "$bundle/rootfs/secret"
  chmod 600 "$bundle/rootfs/secret"
  steps 'cat /secret' 'say end'
  run_as_someone
  expect_out $'refused\nend'
}

case_user_limits_are_refused_by_pointer() {
  rootless_bundle '.linux.resources.memory.limit = 1000000000'
  args true
  run_as_someone
  expect_status 1
  expect_one_line_error /linux/resources/memory
}

case_user_as_root_of_an_outer_namespace() {
  rootless_bundle
  args echo fine
  run_as_someone unshare --user --map-root-user --mount
  expect_status 0
  expect_out fine
}

case_user_life_in_steps() {
  rootless_bundle
  args sleep 1000
  life() { as_someone "$runtime_bin" --root "$dir/mine/root" "$@" </dev/null; }
  life create --bundle "$bundle" "$id" >"$dir/c.out" 2>"$dir/c.err" || fail create
  life start "$id" || fail start
  expect_eq "$(life state "$id" | jq -r .status)" running state
  life kill "$id" KILL || fail kill
  gone() { [ "$(life state "$id" | jq -r .status)" = stopped ]; }
  wait_until gone
  life delete "$id" || fail delete
  [ -z "$(ls -A "$dir/mine/root")" ] || fail "left: $(ls -A "$dir/mine/root")"
}

# Where user namespaces are forbidden, one line names what is missing.
case_user_where_namespaces_are_forbidden() {
  rootless_bundle
  args true
  status=0
  as_someone unshare --user --map-root-user sh -c 'echo 0 >/proc/sys/user/max_user_namespaces && exec "$@"' sh \
    "$runtime_bin" --root "$dir/mine/root" run --bundle "$bundle" "$id" </dev/null >"$dir/out" 2>"$dir/err" || status=$?
  expect_status 1
  expect_one_line_error namespace
}

# Inside a container of another runtime, as docker makes them but for its seccomp profile, which
# forbids user namespaces: an ordinary user of that container runs a container.
outer_bundle() {
  command -v runc >/dev/null || skip_case "no runc to be the outer runtime"
  rootless_bundle
  outer=$dir/outer
  mkdir -p "$outer/rootfs/xdg"
  cp -a "$e2e_dir/rootfs/." "$outer/rootfs/"
  install -m 755 "$runtime_real" "$outer/rootfs/bin/runhl"
  mv "$bundle" "$outer/rootfs/bundle"
  chown $someone:$someone "$outer/rootfs/xdg"
  jq --argjson user $someone '.process.user = {uid: $user, gid: $user} | .process.noNewPrivileges = true
    | .process.env += ["XDG_RUNTIME_DIR=/xdg"] | del(.process.capabilities)
    | .process.args = ["/bin/runhl", "run", "--bundle", "/bundle", "inner"]' \
    "$RUNHL_TOP/test/support/config.json" >"$outer/config.json"
}
run_outer() {
  status=0
  runc --root "$dir/outer-root" run --bundle "$outer" "$id-outer" </dev/null >"$dir/out" 2>"$dir/err" || status=$?
}

case_user_inside_an_outer_container() {
  outer_bundle
  bundle=$outer/rootfs/bundle steps uname 'exit 7'
  run_outer
  expect_in out runhl
  expect_status 7
  expect_eq "$(ls "$outer/rootfs/xdg/runhl" 2>/dev/null)" "" "state left"
}

# Its profile forbids what a cell needs: one line names the call.
case_user_inside_an_outer_container_that_forbids() {
  outer_bundle
  jq '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", architectures: ["SCMP_ARCH_X86_64"],
    syscalls: [{names: ["unshare", "clone3"], action: "SCMP_ACT_ERRNO", errnoRet: 1}]}' "$outer/config.json" >"$outer/config.new"
  mv "$outer/config.new" "$outer/config.json"
  run_outer
  expect_status 1
  expect_one_line_error unshare
}

# As docker's profile does it: clone3 is answered as if the kernel had none.
case_user_inside_an_outer_container_without_clone3() {
  outer_bundle
  jq '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", architectures: ["SCMP_ARCH_X86_64"],
    syscalls: [{names: ["clone3"], action: "SCMP_ACT_ERRNO", errnoRet: 38}]}' "$outer/config.json" >"$outer/config.new"
  mv "$outer/config.new" "$outer/config.json"
  bundle=$outer/rootfs/bundle steps 'exit 7'
  run_outer
  expect_status 7
}
