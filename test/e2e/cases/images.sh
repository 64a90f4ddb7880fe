# SPDX-License-Identifier: Apache-2.0
# Images: in and out of the store, as an archive, as a container. umoci and skopeo make them and judge.

. "$RUNHL_TOP/test/support/images.sh"

case_runs_an_image() {
  needs_umoci
  make_image
  config_image --config.entrypoint /bin/echo --config.cmd hello --config.cmd world
  load_image
  expect_status 0
  expect_out docker.io/test/base:latest
  run_image test/base
  expect_status 0
  expect_out "hello world"
  run_image test/base:latest bye
  expect_out bye
  run_image --entrypoint /bin/sh test/base -c 'exit 7'
  expect_status 7
  expect_eq "$(find "$cache" -name '*.cpio' | wc -l)" 1 "archives:"
}

case_options_say_what_runs() {
  needs_umoci
  make_image
  echo 'www:x:33:34:web:/srv/www:/bin/sh' >>"$dir/unpacked/rootfs/etc/passwd"
  printf 'www:x:34:\nmedia:x:44:www\n' >>"$dir/unpacked/rootfs/etc/group"
  layer
  config_image --config.env FROM=image --config.env BOTH=image --config.user www --config.workingdir /srv/made
  load_image
  printf '# comment\nFILE=a b\nBOTH=file\n' >"$dir/env"
  run_image --env-file "$dir/env" -e LAST=1 --hostname box test/base \
    /bin/sh -c 'id -u; id -g; pwd; echo "$FROM,$BOTH,$FILE,$LAST,$HOME"; hostname'
  expect_status 0
  expect_out "$(printf '33\n34\n/srv/made\nimage,file,a b,1,/srv/www\nbox')"
  run_image -u root:media -w / test/base /bin/sh -c 'id -u; id -g; pwd'
  expect_out "$(printf '0\n44\n/')"
  run_image -u ghost test/base /bin/true
  expect_status 1
  expect_one_line_error 'the image has no user' ghost
}

case_volumes_input_and_read_only() {
  needs_umoci
  make_image
  load_image
  mkdir -p "$dir/data" && echo there >"$dir/data/file"
  run_image -v "$dir/data:/data:ro" test/base /bin/sh -c 'cat /data/file; echo x 2>/dev/null >/data/file || echo refused'
  expect_out "$(printf 'there\nrefused')"
  run_image --read-only test/base /bin/sh -c 'echo x 2>/dev/null >/etc/new || echo refused'
  expect_out refused
  echo typed >"$dir/typed"
  stdin=$dir/typed run_image test/base /bin/cat
  expect_out ""
  stdin=$dir/typed run_image -i --rm test/base /bin/cat
  expect_out typed
}

case_detached_and_named() {
  needs_umoci
  make_image
  load_image
  run_image -d --name "$id" test/base /bin/sleep 1000
  expect_status 0
  expect_out "$id"
  is_state running || fail "it does not run"
  rt kill "$id" KILL
  wait_until is_state stopped
  rt delete "$id"
  [ ! -e "$root/$id" ] || fail "its directory stays"
}

case_an_image_a_bundle_or_a_name() {
  needs_umoci
  make_image
  load_image
  make_bundle '.process.args = ["echo", "the bundle"]'
  try run "$bundle/"
  expect_out "the bundle"
  (cd "$bundle" && rt run "$id") >"$dir/out" 2>"$dir/err" </dev/null
  expect_out "the bundle"
  (cd "$bundle" && rt run --store "$store" --cache "$cache" test/base /bin/echo image) >"$dir/out" 2>"$dir/err" </dev/null
  expect_out image
  run_image "$dir/nothing/here"
  expect_status 1
  run_image --pull never nobody/nothing
  expect_status 1
  expect_one_line_error 'docker.io/nobody/nothing:latest' 'no such image'
  run_image 'Not/An Image'
  expect_status 1
  expect_one_line_error 'is no image'
  try run --memory 1G "$bundle/"
  expect_status 1
  expect_one_line_error 'option for images'
}

# Type, mode, owner, links, seconds, name, target. Directories' times are the merge's own business.
describe_tree() {
  (cd "$1" && find . \( -type d -printf '%y %m %U %G - - %p\0' \) -o \
    \( -type l -printf '%y %m %U %G %n - %p %l\0' \) -o -printf '%y %m %U %G %n %Ts %p\0' | sort -z | tr '\0' '\n')
}

# What trees are compared of: each kind of entry, replaced, hidden and linked to by an upper layer.
make_tricky_image() {
  local r=$dir/unpacked/rootfs
  mkdir -p "$r/a/b" "$r/opaque/sub" "$r/usr/lib" "$r/gone"
  echo lower >"$r/a/file" && ln "$r/a/file" "$r/a/link" && chmod 4755 "$r/a/file"
  echo x >"$r/opaque/sub/lower" && echo x >"$r/gone/x"
  ln -s usr/lib "$r/lib64"
  mknod "$r/null" c 1 3 && mknod "$r/disk" b 259 70000 && mkfifo "$r/fifo"
  truncate -s 3M "$r/sparse" && echo end >>"$r/sparse"
  printf y >"$r/$(printf 'n%.0s' {1..255})"
  printf z >"$r/$(printf 'not utf-8 \377')"
  chown 70000:70001 "$r/a/b"
  head -c 300000 /bin/busybox >"$r/big"
  layer
  rm -rf "$r/gone" "$r/opaque" && mkdir "$r/opaque" && echo new >"$r/opaque/new"
  ln "$r/a/file" "$r/a/b/third"
  echo upper >"$r/big"
  rm "$r/fifo" && mkdir "$r/fifo"
  # cap_net_raw=ep
  python3 -c 'import os, sys
os.setxattr(sys.argv[1], "user.test", b"value")
os.setxattr(sys.argv[2], "security.capability", bytes.fromhex("0100000200200000000000000000000000000000"))' "$r/opaque/new" "$r/a/b/third"
  touch -d '2001-02-03 04:05:06' "$r/big"
  layer
}

xattrs_of() {
  python3 -c 'import os, sys
for path, _, files in os.walk(os.fsencode(sys.argv[1])):
    for name in sorted(files):
        at = os.path.join(path, name)
        for key in sorted(os.listxattr(at, follow_symlinks=False)):
            print(os.path.relpath(at, os.fsencode(sys.argv[1])), key, os.getxattr(at, key, follow_symlinks=False).hex())' "$1" | sort
}

expect_same_trees() {  # THEIRS OURS
  describe_tree "$1" >"$dir/want"
  describe_tree "$2" >"$dir/got"
  cmp "$dir/want" "$dir/got" || fail "$(diff "$dir/want" "$dir/got" | head -20)"
  diff -r --no-dereference "$1" "$2" >"$dir/diff" 2>&1
  # Of devices diff says that it does not compare them; their numbers:
  ! grep -vE 'is a (character|block) special file' "$dir/diff" >"$dir/differs" || fail "$(head -5 "$dir/differs")"
  expect_eq "$(cd "$2" && stat -c '%t %T' null disk)" "$(cd "$1" && stat -c '%t %T' null disk)" "devices"
}

case_the_merged_tree_is_umocis() {
  needs_umoci
  command -v python3 >/dev/null || skip_case "no python3"
  make_image
  make_tricky_image
  load_image
  expect_status 0
  run_image test/base /bin/true
  expect_status 0
  mkdir "$dir/ours"
  umoci unpack --image "$layout:base" "$dir/theirs" >"$dir/umoci.log" 2>&1 || fail "umoci"
  (cd "$dir/ours" && bsdtar -xpf "$cache"/*.cpio --exclude=./.runhl.* --exclude=.runhl.*) || fail "bsdtar"
  expect_same_trees "$dir/theirs/rootfs" "$dir/ours"
}

case_a_bundle_is_umocis_and_runs_anywhere() {
  needs_umoci
  command -v python3 >/dev/null || skip_case "no python3"
  make_image
  make_tricky_image
  config_image --config.user 70000:70001 --config.workingdir /a --config.cmd /bin/sh --config.cmd -c --config.cmd 'id -u; id -g; pwd'
  load_image
  try bundle --store "$store" test/base "$dir/made"
  expect_status 0
  umoci unpack --image "$layout:base" "$dir/theirs" >"$dir/umoci.log" 2>&1 || fail "umoci"
  expect_same_trees "$dir/theirs/rootfs" "$dir/made/rootfs"
  expect_eq "$(xattrs_of "$dir/made/rootfs")" "$(xattrs_of "$dir/theirs/rootfs")" "extended attributes"
  expect_eq "$(xattrs_of "$dir/made/rootfs" | wc -l)" 4 "extended attributes"
  expect_eq "$(jq -c '.process.args, .process.cwd, .process.user.uid' "$dir/made/config.json")" \
    "$(jq -c '.process.args, .process.cwd, .process.user.uid' "$dir/theirs/config.json")" "config.json:"
  try run --bundle "$dir/made" "$id"
  expect_status 0
  expect_out "$(printf '70000\n70001\n/a')"
  if command -v runc >/dev/null; then
    expect_eq "$(runc --root "$dir/runc" run --bundle "$dir/made" "$id" 2>&1)" "$(cat "$dir/out")" "by runc:"
  fi
  try bundle --store "$store" test/base "$dir/made"
  expect_status 1
  expect_one_line_error "$dir/made" 'File exists'
  try bundle --store "$store" nobody/nothing "$dir/other"
  expect_status 1
  printf '\1' | dd of="$store/blobs/sha256/$(rt inspect --store "$store" test/base | jq -r '.manifest.layers[1].digest' | cut -d: -f2)" bs=1 seek=100 conv=notrunc status=none
  try bundle --store "$store" test/base "$dir/other"
  expect_status 1
  expect_one_line_error "layer 2"
  expect_eq "$(ls "$dir" | grep -c '^other')" 0 "left of a failed one:"
}

case_dockers_archives_go_both_ways() {
  needs_umoci
  command -v skopeo >/dev/null || skip_case "no skopeo"
  make_image
  config_image --config.cmd /bin/echo --config.cmd packed
  skopeo copy -q "oci:$layout:base" "docker-archive:$dir/x.tar:test/packed:1" || fail skopeo
  try load --store "$store" "docker-archive:$dir/x.tar"
  expect_status 0
  expect_out docker.io/test/packed:1
  run_image test/packed:1
  expect_out packed
  try save --store "$store" test/packed:1 "docker-archive:$dir/y.tar"
  expect_status 0
  skopeo inspect --raw "docker-archive:$dir/y.tar" >"$dir/inspected" || fail "skopeo does not read it"
  try save --store "$store" test/packed:1 "oci:$dir/saved"
  expect_status 0
  skopeo copy -q "oci:$dir/saved:docker.io/test/packed:1" "oci:$dir/copied:x" || fail "skopeo does not read it"
  umoci unpack --image "$dir/copied:x" "$dir/again" >/dev/null 2>&1 || fail "umoci does not unpack it"
}

case_lists_verifies_and_removes() {
  needs_umoci
  make_image
  load_image
  load_image test/second
  try images --store "$store" -q
  expect_out "$(printf 'docker.io/test/base:latest\ndocker.io/test/second:latest')"
  try inspect --store "$store" test/base
  expect_eq "$(jq -r '.name' "$dir/out")" docker.io/test/base:latest
  try images --store "$store" --verify
  expect_status 0
  local layer
  layer=$(jq -r '.manifest.layers[0].digest' <(rt inspect --store "$store" test/base))
  printf '\1' | dd of="$store/blobs/sha256/${layer#sha256:}" bs=1 seek=100 conv=notrunc status=none
  try images --store "$store" --verify
  expect_status 1
  expect_in out "$layer has become"
  run_image test/base /bin/true
  expect_status 1
  expect_one_line_error "layer 1"
  try rmi --store "$store" test/base
  expect_status 0
  [ -e "$store/blobs/sha256/${layer#sha256:}" ] || fail "what test/second needs is gone"
  try rmi --store "$store" test/second
  expect_eq "$(find "$store/blobs" -type f | wc -l)" 0 "blobs left:"
  try rmi --store "$store" test/second
  expect_status 1
}

case_df_tells_what_prune_frees() {
  needs_umoci
  make_image
  load_image
  load_image test/second
  run_image test/base /bin/true
  : >"$store/partial/$(printf '0%.0s' {1..64})"
  try df --store "$store" --cache "$cache" --json
  expect_status 0
  expect_eq "$(jq -c '[.images.count, .unneeded.count, .partial.count, .archives.count]' "$dir/out")" "[2,0,1,1]" "df:"
  local bytes
  bytes=$(jq .archives.bytes "$dir/out")
  rm "$store/partial/"*
  expect_eq "$(rt prune --store "$store" --cache "$cache")" "freed $bytes bytes" "prune:"
  try df --store "$store" --cache "$cache"
  expect_in out "images                    2"
  expect_in out "converted archives        0        0 B   0 B"
}

case_wrong_content_is_named() {
  needs_umoci
  make_image
  local blob
  blob=$(jq -r '.manifests[0].digest' "$layout/index.json")
  cp -a "$layout" "$dir/cut"
  blob=$(jq -r '.layers[0].digest' "$layout/blobs/sha256/${blob#sha256:}")
  truncate -s -1 "$dir/cut/blobs/sha256/${blob#sha256:}"
  try load --store "$store" "oci:$dir/cut:base" test/cut
  expect_status 1
  expect_one_line_error "${blob#sha256:}" bytes
  rm "$dir/cut/blobs/sha256/${blob#sha256:}"
  try load --store "$store" "oci:$dir/cut:base" test/cut
  expect_status 1
  try images --store "$store" -q
  expect_out ""
  try load --store "$store" "oci:$layout:other" test/cut
  expect_status 1
  expect_one_line_error 'no image "other"' base
  try load --store "$store" "docker-archive:/bin/busybox"
  expect_status 1
}

# SIGKILL at some point of a load: what was there works, and the next one completes.
case_a_killed_load_leaves_a_good_store() {
  needs_umoci
  make_image
  load_image test/first
  head -c 20000000 /dev/urandom >"$dir/unpacked/rootfs/random"
  layer
  local delay
  for delay in .005 .02 .05 .1 .2; do
    rt load --store "$store" "oci:$layout:base" test/second >/dev/null 2>&1 </dev/null &
    sleep "$delay"
    kill -KILL $! 2>/dev/null
    wait $! 2>/dev/null
    try images --store "$store" --verify
    expect_status 0
    expect_in out 'docker.io/test/first:latest: good'
  done
  load_image test/second
  expect_status 0
  try prune --store "$store" --cache "$cache"
  expect_status 0
  run_image test/second /bin/true
  expect_status 0
}

# Without any option: what belongs to a user is where XDG says, and nobody else's.
case_an_ordinary_user_has_a_store_of_their_own() {
  needs_umoci
  make_image
  config_image --config.cmd /bin/echo --config.cmd mine
  local home=$dir/home who=54321
  chmod -R a+rX "$layout"
  mkdir -p "$home" "$dir/xdg"
  chown $who:$who "$home" "$dir/xdg"
  as_user() {
    status=0
    setpriv --reuid $who --regid $who --clear-groups --inh-caps=-all \
      env -i PATH=/usr/bin:/bin HOME="$home" XDG_RUNTIME_DIR="$dir/xdg" "$@" </dev/null >"$dir/out" 2>"$dir/err" || status=$?
  }
  as_user "$runtime_bin" load "oci:$layout:base" test/base
  expect_status 0
  as_user "$runtime_bin" run test/base
  expect_status 0
  expect_out mine
  expect_eq "$(stat -c '%u %a' "$home/.local/share/runhl/store")" "$who 700" "the store:"
  expect_eq "$(find "$home/.cache/runhl/initrd" -name '*.cpio' | wc -l)" 1 "archives:"
  as_user env XDG_DATA_HOME="$home/data" XDG_CACHE_HOME="$home/cache" "$runtime_bin" load "oci:$layout:base" test/other
  expect_status 0
  as_user env XDG_DATA_HOME="$home/data" XDG_CACHE_HOME="$home/cache" "$runtime_bin" run test/other
  expect_out mine
  expect_eq "$(find "$home/cache/runhl/initrd" -name '*.cpio' | wc -l)" 1 "archives elsewhere:"
  as_user "$runtime_bin" images -q
  expect_out docker.io/test/base:latest
}
