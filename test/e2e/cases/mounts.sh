# SPDX-License-Identifier: Apache-2.0
# The mount table: what of the host is granted, and how far.

bind() {  # source destination options…
  edit --arg source "$1" --arg destination "$2" --args '.mounts += [{$source, $destination, type: "bind", options: (["rbind"] + $ARGS.positional)}]' "${@:3}"
}

case_bind_directory() {
  make_bundle
  mkdir -p "$dir/host/sub"
  echo granted >"$dir/host/sub/file"
  bind "$dir/host" /mnt/here
  steps 'cat /mnt/here/sub/file' 'write /mnt/here/new written' 'rm /mnt/here/sub/file'
  run_it
  expect_status 0
  expect_out granted
  expect_eq "$(cat "$dir/host/new")" written
  [ ! -e "$dir/host/sub/file" ] || fail "not removed"
}

case_bind_file() {
  make_bundle
  echo one >"$dir/file"
  bind "$dir/file" /etc/conf
  steps 'cat /etc/conf' 'write /etc/conf two' 'cat /etc/conf'
  run_it
  expect_status 0
  expect_out $'one\ntwo'
  expect_eq "$(cat "$dir/file")" two
}

case_bind_read_only() {
  make_bundle
  mkdir "$dir/host"
  echo granted >"$dir/host/file"
  bind "$dir/host" /mnt ro
  steps 'cat /mnt/file' 'write /mnt/file x' 'write /mnt/new x' 'rm /mnt/file' 'chmod 777 /mnt/file'
  run_it
  expect_out $'granted\nrefused\nrefused\nrefused\nrefused'
  expect_eq "$(cat "$dir/host/file")" granted
  [ ! -e "$dir/host/new" ] || fail "written"
}

case_bind_source_missing() {
  make_bundle
  bind "$dir/not-there" /mnt
  args true
  run_it
  expect_status 1
  if [ "$RUNTIME" = runhl ]; then expect_one_line_error "$dir/not-there"; fi
}

case_bind_does_not_leak_its_parent() {
  make_bundle
  mkdir "$dir/host"
  echo secret >"$dir/secret"
  ln -s ../secret "$dir/host/up"
  ln -s "$dir/secret" "$dir/host/absolute"
  bind "$dir/host" /mnt
  steps 'cat /mnt/../secret' 'cat /mnt/up' 'cat /mnt/absolute' 'write /mnt/up x' 'write /mnt/absolute x' 'say end'
  run_it
  # a link that points nowhere inside may be written through: inside
  grep -qx end "$dir/out" || fail "no end"
  expect_eq "$(cat "$dir/secret")" secret
  ! grep -q secret "$dir/out" || fail "the host's file was read"
}

case_tmpfs() {
  make_bundle '.mounts += [{destination: "/scratch", type: "tmpfs", source: "tmpfs", options: ["nosuid", "mode=1777", "size=1m"]}]'
  steps 'mkdir /scratch/d' 'write /scratch/d/f a' 'ln /scratch/d/f /scratch/g' 'cat /scratch/g' 'ls /scratch' 'mode /scratch' 'fill /scratch/big 3000000' 'say end'
  run_it
  expect_out $'a\nd\ng\n1777 0 0\nrefused\nend'
  [ -z "$(ls -A "$bundle/rootfs/scratch" 2>/dev/null)" ] || fail "written to the rootfs"
}

case_read_only_root() {
  make_bundle '.root.readonly = true'
  steps 'write /new x' 'rm /etc/passwd' 'mkdir /d' 'write /dev/shm/ok x' 'cat /dev/shm/ok'
  run_it
  expect_out $'refused\nrefused\nrefused\nx'
  [ ! -e "$bundle/rootfs/new" ] && [ -e "$bundle/rootfs/etc/passwd" ] || fail "the root was written"
}

case_masked_paths() {
  make_bundle '.linux.maskedPaths += ["/secret", "/dir"]'
  echo hidden >"$bundle/rootfs/secret"
  mkdir "$bundle/rootfs/dir"
  echo hidden >"$bundle/rootfs/dir/file"
  steps 'cat /secret' 'ls /dir' 'write /dir/file x' 'say end'
  run_it
  expect_out $'refused\nend'
  expect_eq "$(cat "$bundle/rootfs/secret")" hidden
}

case_readonly_paths() {
  make_bundle '.linux.readonlyPaths += ["/ro"]'
  mkdir "$bundle/rootfs/ro"
  echo kept >"$bundle/rootfs/ro/file"
  steps 'cat /ro/file' 'write /ro/file x' 'write /ro/new x' 'write /elsewhere y'
  run_it
  expect_out $'kept\nrefused\nrefused'
}

case_dev_has_its_nodes() {
  make_bundle
  steps 'kind /dev/null' 'kind /dev/zero' 'kind /dev/full' 'kind /dev/random' 'kind /dev/urandom' \
    'write /dev/null x' 'count /dev/null' 'count /dev/zero 5' 'write /dev/full x' 'count /dev/urandom 16'
  run_it
  expect_out $'device\ndevice\ndevice\ndevice\ndevice\n0\n5\nrefused\n16'
}

case_nested_mounts() {
  make_bundle '.mounts += [{destination: "/a", type: "tmpfs", source: "tmpfs"}]'
  mkdir "$dir/host"
  echo inner >"$dir/host/f"
  bind "$dir/host" /a/b/c
  steps 'cat /a/b/c/f' 'write /a/top x' 'ls /a'
  run_it
  expect_status 0
  expect_out $'inner\nb\ntop'
}

# Never served from a host's kernel file system, wherever it is mounted.
# A tree that somebody works in with chroot: what the host has mounted there is covered.
case_proc_over_the_hosts() {
  needs_root
  make_bundle
  args sh -c 'cat /proc/1/comm; ls /proc/self/fd | wc -l'
  mount -t proc proc "$bundle/rootfs/proc" || skip "no proc can be mounted here"
  run_it
  umount "$bundle/rootfs/proc"
  expect_status 0
  expect_eq "$(head -n 1 "$dir/out")" sh
}

case_bind_of_host_proc_is_refused() {
  only runhl "runc and crun pass the host's /proc on"
  make_bundle
  bind /proc /host-proc
  args true
  run_it
  expect_status 1
  expect_one_line_error /mounts/
}
