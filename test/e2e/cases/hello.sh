# SPDX-License-Identifier: Apache-2.0
# One unmodified program through every layer.

case_uname_names_the_kernel() {
  make_bundle
  args uname -a
  run_it
  expect_status 0
  if [ "$RUNTIME" = runhl ]; then
    expect_in out runhl
  else
    expect_in out "$(uname -r)"
  fi
  expect_in out " e2e "  # the bundle's hostname
}

case_reads_a_file_of_the_rootfs() {
  make_bundle
  head -c 3000000 /dev/urandom >"$bundle/rootfs/data"
  args busybox sha256sum /data
  run_it
  expect_status 0
  expect_out "$(sha256sum <"$bundle/rootfs/data" | sed 's|-$|/data|')"
}

case_file_changed_between_two_runs_is_seen() {
  local text
  make_bundle
  args cat /data
  for text in first second 'third, longer than the others' 4; do
    echo "$text" >"$bundle/rootfs/data"
    run_it
    expect_status 0
    expect_out "$text"
  done
  # in place, same size, same second
  printf '5' | dd of="$bundle/rootfs/data" conv=notrunc status=none
  run_it
  expect_out 5
}

case_write_is_in_the_directory() {
  make_bundle
  steps 'mkdir /d' 'write /d/written from inside' 'symlink written /d/link' 'chmod 640 /d/written' 'write /gone x' 'rm /gone'
  run_it
  expect_status 0
  expect_eq "$(cat "$bundle/rootfs/d/link")" "from inside"
  expect_eq "$(stat -c '%a %u %g' "$bundle/rootfs/d/written")" "640 0 0"
  [ ! -e "$bundle/rootfs/gone" ] || fail "not removed"
}

case_rename() {
  make_bundle
  steps 'write /a x' 'mkdir /d' 'mv /a /d/b'
  run_it
  expect_eq "$(cat "$bundle/rootfs/d/b")" x
}

case_shell_pipeline() {
  make_bundle
  args sh -c 'seq 1 1000 | grep 7 | wc -l'
  run_it
  expect_status 0
  expect_out 271
}

case_bundle_of_current_directory() {
  make_bundle
  args pwd
  cd "$bundle" || fail cd
  try run "$id"
  expect_status 0
  expect_out /
}
