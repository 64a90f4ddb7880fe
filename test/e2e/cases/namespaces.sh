# SPDX-License-Identifier: Apache-2.0
# Network and host name: new, joined, the caller's.

case_hostname() {
  make_bundle '.hostname = "some-host.example"'
  args hostname
  run_it
  expect_status 0
  expect_out some-host.example
}

case_new_network_namespace_has_lo() {
  needs_root
  make_bundle
  args sleep 1000
  create_it
  local pid
  pid=$(cat "$dir/pid")
  [ "$(readlink "/proc/$pid/ns/net")" != "$(readlink /proc/self/ns/net)" ] || fail "the host's namespace"
  expect_eq "$(nsenter --net="/proc/$pid/ns/net" ip -o link | wc -l)" 1 interfaces
  nsenter --net="/proc/$pid/ns/net" ip -o link show lo up | grep -q LOOPBACK || fail "lo is down"
  force_delete
}

case_joined_network_namespace() {
  needs_root
  make_bundle
  args sleep 1000
  unshare --net sleep 1000 &
  local other=$!
  elsewhere() { [ "$(readlink "/proc/$other/ns/net")" != "$(readlink /proc/self/ns/net)" ]; }
  wait_until elsewhere
  edit --arg path "/proc/$other/ns/net" '(.linux.namespaces[] | select(.type == "network")) .path = $path'
  create_it
  expect_eq "$(readlink "/proc/$(cat "$dir/pid")/ns/net")" "$(readlink /proc/$other/ns/net)" namespace
  force_delete
  kill $other
  wait $other 2>/dev/null || true
}

case_no_network_entry_is_the_callers() {
  needs_root
  make_bundle
  args sleep 1000
  edit 'del(.linux.namespaces[] | select(.type == "network"))'
  edit '(.mounts[] | select(.type == "sysfs")) |= {destination: "/sys", type: "none", source: "/sys", options: ["rbind", "ro"]}'
  [ "$RUNTIME" != runhl ] || edit 'del(.mounts[] | select(.destination | startswith("/sys")))'
  create_it
  expect_eq "$(readlink "/proc/$(cat "$dir/pid")/ns/net")" "$(readlink /proc/self/ns/net)" namespace
  force_delete
}

case_path_that_is_no_namespace() {
  needs_root
  make_bundle
  args true
  edit '(.linux.namespaces[] | select(.type == "network")) .path = "/etc/passwd"'
  run_it
  expect_status 1
  if [ "$RUNTIME" = runhl ]; then expect_one_line_error /etc/passwd; fi
}

case_pid_in_its_ipc_and_uts_namespaces() {
  needs_root
  local ns
  make_bundle
  args sleep 1000
  create_it
  for ns in ipc uts; do
    [ "$(readlink "/proc/$(cat "$dir/pid")/ns/$ns")" != "$(readlink /proc/self/ns/$ns)" ] || fail "$ns is the host's"
  done
  force_delete
}
