#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Images that docker, buildah, umoci and skopeo made, through Debian's docker-registry: runhl pulls
# and runs them, and its tree is what docker's own storage and umoci make of the same layers.
#
#   RUNHL=/path/to/runhl test/e2e/engines/images.sh [CASE…]
set -uo pipefail
cd "$(dirname "$0")/../../.." || exit 2
export LC_ALL=C.UTF-8
. test/support/engines.sh

runhl=$(readlink -f "${RUNHL:-build/installed/bin/runhl}") && [ -x "$runhl" ] || { echo "engines images: no runhl"; exit 2; }
for tool in docker-registry skopeo umoci buildah python3; do
  command -v "$tool" >/dev/null || { echo "SKIPPED: engines images: no $tool"; exit 0; }
done

top=$(mktemp -d /tmp/ri.XXXX)
registry_pid=
stop() {
  [ -z "$registry_pid" ] || engines_end_pid "$registry_pid"
  umount "$top/merged" 2>/dev/null
  engines_stop 2>/dev/null
  rm -rf "$top"
}
trap stop EXIT
trap 'exit 143' TERM INT HUP
mkdir "$top/e"
engines_start "$top/e" || exit 1

# The engines have a network of their own, and so the registry.
inside() { nsenter --net --target "$engines_holder" -- "$@"; }
printf 'version: 0.1\nstorage: {filesystem: {rootdirectory: %s}}\nhttp: {addr: "127.0.0.1:5000"}\n' "$top/registry" >"$top/registry.yml"
# Not by inside(): its pid would be that of a shell.
nsenter --net --target "$engines_holder" -- docker-registry serve "$top/registry.yml" </dev/null >"$top/registry.log" 2>&1 &
registry_pid=$!
until grep -q 'listening on' "$top/registry.log"; do sleep .05; done
registry=127.0.0.1:5000
export HOME=$top  # nobody's credentials

fail() {
  echo "      $*"
  exit 1
}
quietly() { "$@" >"$top/said" 2>&1 </dev/null || fail "$*: $(tail -n 3 "$top/said" | tr '\n' '|')"; }
pull() { quietly inside "$runhl" pull -q --store "$top/store" --cache "$top/cache" "$@"; }
run() { inside "$runhl" --root "$top/root" run --store "$top/store" --cache "$top/cache" "$@" 2>&1 </dev/null; }
expect_same() {  # WHAT THEIRS OURS [without-root]
  python3 test/support/describe_tree.py "$2" >"$top/want" || fail "cannot read $2"
  python3 test/support/describe_tree.py "$3" >"$top/got" || fail "cannot read $3"
  [ -z "${4:-}" ] || sed -i 1d "$top/want" "$top/got"
  [ "$(wc -l <"$top/want")" -gt 20 ] || fail "$1: hardly anything to compare"
  cmp -s "$top/want" "$top/got" || fail "$1: $(diff "$top/want" "$top/got" | head -20)"
}
# The image NAME as we, umoci and, if it is docker's, docker unpack it.
expect_umocis_tree() {  # NAME
  rm -rf "$top/ours" "$top/theirs" "$top/layout"
  quietly "$runhl" bundle --store "$top/store" "$registry/$1" "$top/ours"
  quietly inside skopeo copy -q --src-tls-verify=false "docker://$registry/$1" "oci:$top/layout:x"
  quietly umoci unpack --image "$top/layout:x" "$top/theirs"
  expect_same "$1: umoci" "$top/theirs/rootfs" "$top/ours/rootfs"
}
expect_dockers_tree() {  # NAME
  local layers
  layers=$(/usr/bin/docker image inspect -f '{{.GraphDriver.Data.UpperDir}}:{{.GraphDriver.Data.LowerDir}}' "$registry/$1") || fail "docker inspect"
  mkdir -p "$top/merged"
  quietly mount -t overlay -o "ro,lowerdir=${layers%%:<no value>}" none "$top/merged"
  # The root's own time is when docker made the directory, whatever the layer says.
  expect_same "$1: docker" "$top/merged" "$top/ours/rootfs" without-root
  quietly umount "$top/merged"
}

# A tree with each kind of entry, for whatever makes an image of it.
tricky_tree() {  # DIR
  local r=$1
  bash test/support/make_rootfs.sh "$r"
  mkdir -p "$r/a/b" "$r/opaque/sub" "$r/usr/lib" "$r/gone" "$r/many"
  echo lower >"$r/a/file" && ln "$r/a/file" "$r/a/link" && chmod 4755 "$r/a/file"
  echo x >"$r/opaque/sub/lower" && echo x >"$r/gone/x"
  ln -s usr/lib "$r/lib64" && ln -s /nowhere "$r/dangling"
  mknod "$r/null" c 1 3 && mknod "$r/disk" b 259 70000 && mkfifo "$r/fifo"
  truncate -s 3M "$r/sparse" && echo end >>"$r/sparse"
  printf y >"$r/$(printf 'n%.0s' {1..255})"
  printf z >"$r/$(printf 'caf\303\251 and spaces')"
  chown 70000:70001 "$r/a/b" && chown -h 5:6 "$r/dangling"
  head -c 300000 /bin/busybox >"$r/big"
  local i
  for i in $(seq 50); do echo "$i" >"$r/many/$i"; done
  # cap_net_raw=ep. On a name of its own: docker gives an owner to each name of a hard link, and the
  # second time Linux takes the capability away.
  cp /bin/busybox "$r/capable"
  python3 -c 'import os, sys
os.setxattr(sys.argv[1], "security.capability", bytes.fromhex("0100000200200000000000000000000000000000"))' "$r/capable"
  find "$r" -depth -exec touch -h -d '2001-02-03 04:05:06' {} +
}

case_of_docker() {
  tricky_tree "$top/tree"
  tar -C "$top/tree" --xattrs --xattrs-include='*' -c . | quietly_piped /usr/bin/docker import -c 'CMD ["sh"]' - base:1 || exit 1
  # Commits write whiteouts and opaque directories as docker does.
  quietly /usr/bin/docker run --name one --network none --runtime runc base:1 sh -c \
    'rm -r /gone /opaque && mkdir /opaque && echo new >/opaque/new && ln /a/file /a/b/third && echo upper >/big && rm /fifo && mkdir /fifo &&
     rm /many/1? && mv /many/20 /many/moved && chmod 2711 /a && chown 9:9 /sparse && rm /dangling && ln -s /etc /dangling'
  quietly /usr/bin/docker commit one two:1
  quietly /usr/bin/docker rm one
  # And a build on top of it.
  mkdir "$top/context" && echo copied >"$top/context/file"
  printf 'FROM two:1\nCOPY --chown=7:8 file /copied/file\nRUN rm -r /usr/lib && touch /usr/lib && echo appended >>/etc/passwd\nENV MADE=docker\nENTRYPOINT ["/bin/sh", "-c"]\nCMD ["echo $MADE; cat /copied/file"]\n' >"$top/context/Dockerfile"
  DOCKER_BUILDKIT=0 quietly /usr/bin/docker build --network none -t "$registry/docker/built:1" "$top/context"
  quietly /usr/bin/docker push -q "$registry/docker/built:1"
  pull "$registry/docker/built:1"
  expect_umocis_tree docker/built:1
  expect_dockers_tree docker/built:1
  [ "$(run "$registry/docker/built:1")" = "$(printf 'docker\ncopied')" ] || fail "it does not run: $(run "$registry/docker/built:1")"
}
quietly_piped() { "$@" >"$top/said" 2>&1 || fail "$*: $(tail -n 3 "$top/said" | tr '\n' '|')"; }

case_of_buildah() {
  [ -d "$top/tree" ] || tricky_tree "$top/tree"
  local b=(inside buildah --root "$top/buildah" --runroot "$top/buildah-run" --storage-driver vfs)
  quietly "${b[@]}" from --name one scratch
  quietly "${b[@]}" add one "$top/tree" /
  quietly "${b[@]}" config --cmd '["/bin/echo", "built by buildah"]' one
  quietly "${b[@]}" commit -q one base
  quietly "${b[@]}" from --name two base
  local mounted
  mounted=$("${b[@]}" mount two) || fail "buildah mount"
  rm -r "$mounted/gone" "$mounted/opaque" && mkdir "$mounted/opaque" && echo new >"$mounted/opaque/new" && ln "$mounted/a/file" "$mounted/a/b/third"
  quietly "${b[@]}" commit -q two "$registry/buildah/built:1"
  quietly "${b[@]}" push -q --tls-verify=false "$registry/buildah/built:1"
  pull "$registry/buildah/built:1"
  expect_umocis_tree buildah/built:1
  [ "$(run "$registry/buildah/built:1")" = "built by buildah" ] || fail "it does not run: $(run "$registry/buildah/built:1")"
}

# skopeo's ways to write one and the same image: docker's types, zstd, and an index.
case_of_skopeo() {
  [ -d "$top/tree" ] || tricky_tree "$top/tree"
  rm -rf "$top/made" "$top/unpacked"
  quietly umoci init --layout "$top/made"
  quietly umoci new --image "$top/made:base"
  quietly umoci unpack --image "$top/made:base" "$top/unpacked"
  cp -a "$top/tree/." "$top/unpacked/rootfs/"
  quietly umoci repack --image "$top/made:base" "$top/unpacked"
  quietly umoci config --image "$top/made:base" --architecture amd64 --config.cmd /bin/echo --config.cmd copied
  local options name
  for options in "--format v2s2" "--format oci --dest-compress-format zstd" "--format oci --dest-compress-format gzip"; do
    name=skopeo/${options##* }:1
    # shellcheck disable=SC2086
    quietly inside skopeo copy -q --dest-tls-verify=false --dest-compress $options "oci:$top/made:base" "docker://$registry/$name"
    rm -rf "$top/store" "$top/cache"
    pull "$registry/$name"
    rm -rf "$top/ours"
    quietly "$runhl" bundle --store "$top/store" "$registry/$name" "$top/ours"
    expect_same "$name" "$top/unpacked/rootfs" "$top/ours/rootfs"
    [ "$(run "$registry/$name")" = copied ] || fail "$name does not run"
  done
  # An index of two platforms, by docker's and OCI's tools alike: ours is chosen.
  python3 test/support/make_index.py "$top/made" "$top/index"
  quietly inside skopeo copy -q --all --dest-tls-verify=false "oci:$top/index" "docker://$registry/skopeo/index:1"
  pull "$registry/skopeo/index:1"
  [ "$(run "$registry/skopeo/index:1")" = copied ] || fail "of an index"
}

cases=("$@")
[ ${#cases[@]} -gt 0 ] || cases=(of_docker of_buildah of_skopeo)
failed=0
for case in "${cases[@]}"; do
  (
    set -u
    "case_$case"
  ) >"$top/verdict" 2>&1 || {
    failed=$((failed + 1))
    echo "FAILED: engines images $case"
    cat "$top/verdict"
  }
done
echo "engines images: $((${#cases[@]} - failed)) passed, $failed failed"
[ "$failed" -eq 0 ]
