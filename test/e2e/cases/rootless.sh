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
