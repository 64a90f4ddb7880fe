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
  args sh -c 'cat /mnt/here/sub/file && echo written >/mnt/here/new && rm /mnt/here/sub/file'
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
  args sh -c 'cat /etc/conf; echo two >/etc/conf; cat /etc/conf'
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
  args sh -c 'cat /mnt/file; echo x >/mnt/file || echo refused; echo x >/mnt/new || echo refused; rm /mnt/file || echo refused; chmod 777 /mnt/file || echo refused'
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
  args sh -c 'cat /mnt/../secret; cat /mnt/up; cat /mnt/absolute; echo end'
  run_it
  expect_out end
}

case_tmpfs() {
  make_bundle '.mounts += [{destination: "/scratch", type: "tmpfs", source: "tmpfs", options: ["nosuid", "mode=1777", "size=1m"]}]'
  args sh -c 'cd /scratch && mkdir d && echo a >d/f && ln d/f g && cat g && ls -A && head -c 3000000 /dev/zero >big || echo full; stat -c %a /scratch'
  run_it
  expect_out $'a\nd\ng\nfull\n1777'
  [ -z "$(ls -A "$bundle/rootfs/scratch" 2>/dev/null)" ] || fail "written to the rootfs"
}

case_read_only_root() {
  make_bundle '.root.readonly = true'
  args sh -c 'echo x >/new || echo refused; rm /etc/passwd || echo refused; mkdir /d || echo refused; echo x >/dev/shm/ok && cat /dev/shm/ok'
  run_it
  expect_out $'refused\nrefused\nrefused\nx'
  [ ! -e "$bundle/rootfs/new" ] && [ -e "$bundle/rootfs/etc/passwd" ] || fail "the root was written"
}

case_masked_paths() {
  make_bundle '.linux.maskedPaths += ["/secret", "/dir"]'
  echo hidden >"$bundle/rootfs/secret"
  mkdir "$bundle/rootfs/dir"
  echo hidden >"$bundle/rootfs/dir/file"
  args sh -c 'cat /secret; ls -A /dir; echo x >/dir/file || echo refused; echo end'
  run_it
  expect_out $'refused\nend'
  expect_eq "$(cat "$bundle/rootfs/secret")" hidden
}

case_readonly_paths() {
  make_bundle '.linux.readonlyPaths += ["/ro"]'
  mkdir "$bundle/rootfs/ro"
  echo kept >"$bundle/rootfs/ro/file"
  args sh -c 'cat /ro/file; echo x >/ro/file || echo refused; echo x >/ro/new || echo refused; echo y >/elsewhere'
  run_it
  expect_out $'kept\nrefused\nrefused'
}

case_dev_has_its_nodes() {
  make_bundle
  args sh -c 'for n in null zero full random urandom; do [ -c /dev/$n ] && echo $n; done
    echo x >/dev/null; head -c 5 /dev/zero | wc -c; echo x >/dev/full || echo full; head -c 16 /dev/urandom | wc -c'
  run_it
  expect_out $'null\nzero\nfull\nrandom\nurandom\n5\nfull\n16'
}

case_nested_mounts() {
  make_bundle '.mounts += [{destination: "/a", type: "tmpfs", source: "tmpfs"}]'
  mkdir "$dir/host"
  echo inner >"$dir/host/f"
  bind "$dir/host" /a/b/c
  args sh -c 'cat /a/b/c/f; echo x >/a/top; ls /a'
  run_it
  expect_status 0
  expect_out $'inner\nb\ntop'
}

# Never served from a host's kernel file system, wherever it is mounted.
case_bind_of_host_proc_is_refused() {
  only runhl "runc and crun pass the host's /proc on"
  make_bundle
  bind /proc /host-proc
  args true
  run_it
  expect_status 1
  expect_one_line_error /mounts/
}
