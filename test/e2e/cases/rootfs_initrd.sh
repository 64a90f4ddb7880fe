# SPDX-License-Identifier: Apache-2.0
# Rootfs mode initrd: the bundle's directory as an archive, changes in memory.

run_initrd() { run_it --rootfs-mode initrd --cache "$dir/cache" "$@"; }

# The archive of the bundle is made once and then found, here and by both modes' comparison.
both_modes() {
  run_it
  expect_status "${1:-0}"
  mv "$dir/out" "$dir/direct"
  run_initrd
  expect_status "${1:-0}"
  cmp "$dir/direct" "$dir/out" || fail "initrd differs from direct: $(diff "$dir/direct" "$dir/out" | head -5)"
}

case_shows_the_bundle() {
  only runhl "it has the mode"
  make_bundle
  chmod 4711 "$bundle/rootfs/etc/group"
  steps 'ls /' 'cat /etc/passwd' 'ls /bin' 'mode /etc/group' 'mode /tmp' 'kind /etc' 'cat /etc/none'
  both_modes
  expect_in out 'root:x:0:0'
  expect_in out '4711 0 0'
}

case_changes_stay_in_memory() {
  only runhl "it has the mode"
  make_bundle
  steps 'write /etc/new one' 'append /etc/passwd more' 'rm /etc/group' 'mkdir /srv' 'mv /etc /srv/etc' \
    'cat /srv/etc/new' 'cat /srv/etc/passwd' 'ls /srv/etc' 'ls /etc' 'symlink srv/etc /etc' 'cat /etc/new' \
    'rmdir /home/app' 'chmod 700 /root' 'mode /root' 'ln /srv/etc/passwd /p' 'cat /p'
  run_initrd
  expect_status 0
  expect_in out more
  expect_in out refused
  [ -e "$bundle/rootfs/etc/group" ] && [ ! -e "$bundle/rootfs/srv" ] || fail "the directory was changed"
  mv "$dir/out" "$dir/first"
  run_initrd
  cmp "$dir/first" "$dir/out" || fail "the second run is not like the first"
  expect_eq "$(find "$dir/cache" -name '*.cpio' | wc -l)" 1 "archives:"
}

case_never_stale() {
  only runhl "it has the mode"
  make_bundle
  echo one >"$bundle/rootfs/etc/conf"
  steps 'cat /etc/conf'
  run_initrd
  expect_out one
  printf 'two\n' >"$bundle/rootfs/etc/conf"
  run_initrd
  expect_out two
  rm "$bundle/rootfs/etc/conf"
  run_initrd
  expect_out refused
}

case_eight_starts_convert_once() {
  only runhl "it has the mode"
  make_bundle
  steps 'say ok'
  local i
  for i in 1 2 3 4 5 6 7 8; do
    rt run --bundle "$bundle" --rootfs-mode initrd --cache "$dir/cache" "$id-$i" </dev/null >"$dir/out.$i" 2>&1 &
  done
  wait
  for i in 1 2 3 4 5 6 7 8; do expect_eq "$(cat "$dir/out.$i")" ok "start $i:"; done
  expect_eq "$(find "$dir/cache" -type f | wc -l)" 2 "files in the cache:"
}

case_size_is_a_limit() {
  only runhl "it has the mode"
  make_bundle
  steps 'fill /big 65536' 'fill /bigger 2000000' 'rm /bigger' 'fill /again 65536' 'say end'
  run_initrd --rootfs-size 1M
  expect_status 0
  expect_out $'refused\nend'
  expect_in err 'No space left'
}

case_read_only_root() {
  only runhl "it has the mode"
  make_bundle '.root.readonly = true'
  steps 'write /etc/new x' 'cat /etc/passwd' 'write /tmp/x x'
  both_modes
}

case_missing_working_directory() {
  only runhl "it has the mode"
  make_bundle '.process.cwd = "/not/there/yet"'
  steps 'write here x' 'cat /not/there/yet/here'
  run_initrd
  expect_status 0
  expect_out x
  [ ! -e "$bundle/rootfs/not" ] || fail "made in the directory"
}

case_state_and_annotation() {
  only runhl "it has the mode"
  make_bundle '.annotations["dev.runhl.rootfs"] = "initrd"'
  steps 'say ok'
  create_it --cache "$dir/cache"
  expect_eq "$(rt state "$id" | jq -r '.annotations["dev.runhl.rootfs"]')" initrd
  force_delete
  expect_eq "$(find "$dir/cache" -name '*.cpio' | wc -l)" 1 "archives:"
  rt features | grep -q "direct,initrd" || fail "features does not say it"
}

case_refusals() {
  only runhl "it has the mode"
  make_bundle
  args true
  run_it --rootfs-mode disk
  expect_status 1
  expect_one_line_error --rootfs-mode disk
  run_it --rootfs-size 1M
  expect_status 1
  expect_one_line_error --rootfs-size
  edit --arg source "$bundle/rootfs/home" '.mounts += [{$source, destination: "/mnt", type: "bind", options: ["rbind"]}]'
  run_initrd
  expect_status 1
  expect_one_line_error /mounts/ direct
}

case_as_an_ordinary_user() {
  only runhl "it has the mode"
  make_bundle '.process.user = {uid: 1000, gid: 1000}'
  steps 'uid' 'cat /etc/passwd' 'write /etc/new x' 'write /home/app/mine x' 'cat /home/app/mine' 'mode /home/app/mine' 'rm /etc/passwd'
  both_modes
}
