# SPDX-License-Identifier: Apache-2.0
# Kernels and rootfs archives out of registries: `runhl kernel`, `runhl pull --rootfs`, and how
# `runhl boot` finds them. What boots of it is in test/upstream, where there are kernels.

. "$RUNHL_TOP/test/support/images.sh"
. "$RUNHL_TOP/test/support/registry.sh"

kernel() {
  local word=$1
  shift
  try kernel "$word" --store "$store" "$@"
}

# A file that is told for an upstream kernel of the generation G3: FILE [TEXT].
make_kernel() {
  printf 'const char what[] = "%s"; void _start(void) { __asm__("ud2" ::"r"(what)); }\n' "${2:-transport: arena}" >"$dir/kernel.c"
  gcc -static -no-pie -nostdlib -Wl,--build-id=none -o "$1" "$dir/kernel.c" || fail "gcc"
}

# image_of FILE…: $layout has an image with nothing but these, in /.
image_of() {
  only runhl "it has artifacts"
  command -v umoci >/dev/null || skip_case "no umoci"
  layout=$dir/layout store=$dir/store
  rm -rf "$layout" "$dir/unpacked"
  umoci init --layout "$layout" && umoci new --image "$layout:base" &&
    umoci unpack --rootless --image "$layout:base" "$dir/unpacked" >"$dir/umoci.log" 2>&1 || fail "umoci: $(cat "$dir/umoci.log")"
  [ $# -eq 0 ] || cp "$@" "$dir/unpacked/rootfs/"
  umoci repack --image "$layout:base" "$dir/unpacked" >"$dir/umoci.log" 2>&1 || fail "umoci: $(cat "$dir/umoci.log")"
}

# blob FILE: into $layout; prints its descriptor's members but the type.
blob() {
  local hex
  hex=$(sha256sum <"$1" | cut -c1-64)
  cp "$1" "$layout/blobs/sha256/$hex"
  printf '"digest":"sha256:%s","size":%d' "$hex" "$(wc -c <"$1")"
}

# artifact_of TYPE FILE [TYPE FILE…]: $layout has an artifact as other tools push them.
artifact_of() {
  only runhl "it has artifacts"
  layout=$dir/layout store=$dir/store
  rm -rf "$layout" && mkdir -p "$layout/blobs/sha256"
  echo '{"imageLayoutVersion":"1.0.0"}' >"$layout/oci-layout"
  local layers=
  while [ $# -gt 0 ]; do
    layers+=${layers:+,}"{\"mediaType\":\"$1\",$(blob "$2")}"
    shift 2
  done
  echo '{}' >"$dir/empty"
  printf '{"schemaVersion":2,"mediaType":"%s","artifactType":"application/vnd.tests","config":{"mediaType":"application/vnd.oci.empty.v1+json",%s},"layers":[%s]}' \
    application/vnd.oci.image.manifest.v1+json "$(blob "$dir/empty")" "$layers" >"$dir/manifest"
  printf '{"schemaVersion":2,"manifests":[{"mediaType":"%s",%s,"annotations":{"org.opencontainers.image.ref.name":"base"}}]}' \
    application/vnd.oci.image.manifest.v1+json "$(blob "$dir/manifest")" >"$layout/index.json"
}

make_archive() {
  only runhl "it has artifacts"
  mkdir -p "$dir/tree/bin"
  echo text >"$dir/tree/bin/text"
  try convert "$dir/tree" "$dir/initrd.cpio"
  expect_status 0
}

# What boot says of a program proves that kernel and archive were found and read.
expect_boots_from() {
  try boot --store "$store" "$@" -- /bin/nosuch
  expect_status 127
  expect_one_line_error /bin/nosuch
}

case_kernels_are_pinned_by_digest() {
  make_kernel "$dir/kernel"
  image_of "$dir/kernel"
  debians_registry
  local name=$registry/test/kernel:1 pinned
  skopeo_push test/kernel:1
  kernel pull "$name"
  expect_status 0
  expect_in out ": done, "
  pinned=$(tail -n 1 "$dir/out" | cut -d' ' -f2)
  kernel ls
  expect_in out "$name   $(cut -c8-19 <<<"$pinned")"
  expect_in out G3
  make_archive
  expect_boots_from --pull never "$registry/other@$pinned" --initrd "$dir/initrd.cpio"
  kernel use "$name"
  expect_status 0
  # Another one takes the tag: the name moves, the default does not.
  make_kernel "$dir/kernel" GetExnStackTop
  image_of "$dir/kernel"
  skopeo_push test/kernel:1
  kernel pull -q "$name"
  expect_status 0
  kernel ls
  expect_eq "$(grep -c G2 "$dir/out") $(grep 'default' "$dir/out" | grep -c G3)" "1 1" "generations:"
  kernel pull -q "$registry/test/kernel@$pinned"
  expect_out "$registry/test/kernel@$pinned $pinned"
  kernel ls --verify
  expect_status 0
  kernel rm default "$name" "$registry/test/kernel@$pinned"
  expect_status 0
  kernel ls -q
  expect_out ""
  expect_eq "$(find "$store/kernels/blobs" -type f | wc -l)" 0 "files left:"
  kernel pull -q "$registry/test/missing:1"
  expect_status 1
  expect_one_line_error "$registry/test/missing:1" 'is not there'
  kernel rm "$name"
  expect_status 1
  expect_one_line_error "$name"
}

# Docker's own manifests, behind GHCR's tokens and signed addresses; the second pull fetches nothing.
case_kernels_from_ghcr() {
  make_kernel "$dir/kernel"
  image_of "$dir/kernel"
  serve
  kernel pull -q "$registry/owner/kernel:1"
  expect_status 0
  grep -q LEAK "$dir/requests" && fail "another host was told who we are"
  cp "$dir/requests" "$dir/before"
  kernel pull -q "$registry/owner/kernel:1"
  expect_status 0
  expect_eq "$(grep -c storage "$dir/requests")" "$(grep -c storage "$dir/before")" "blobs fetched again:"
  unserve
  debians_registry
  skopeo_push test/docker:1 --format v2s2
  kernel pull -q "$registry/test/docker:1"
  expect_status 0
  kernel ls -q
  expect_eq "$(wc -l <"$dir/out")" 2 kernels:
}

case_rootfs_archives_in_every_form() {
  make_archive
  local name compressor suffix
  image_of "$dir/initrd.cpio"
  serve
  try pull --store "$store" --rootfs -q "$registry/owner/image:initrd"
  expect_status 0
  unserve
  for compressor in "cat " "gzip +gzip" "zstd +zstd"; do
    read -r compressor suffix <<<"$compressor"
    command -v "$compressor" >/dev/null || skip_case "no $compressor"
    "$compressor" <"$dir/initrd.cpio" >"$dir/compressed"
    artifact_of "application/vnd.tests.cpio${suffix:-}" "$dir/compressed"
    debians_registry
    name=$registry/owner/artifact:1
    skopeo_push owner/artifact:1
    kill "$registry_pid"
    # Not in the store, and the registry is gone: one line.
    make_kernel "$dir/kernel"
    try boot --store "$store" "$dir/kernel" --initrd "$name" -- /bin/nosuch
    expect_status 1
    rm -rf "$dir/registry"
    debians_registry
    name=$registry/owner/artifact:1
    skopeo_push owner/artifact:1
    expect_boots_from "$dir/kernel" --initrd "$name"
    kill "$registry_pid"
    expect_boots_from "$dir/kernel" --initrd "$name"
  done
  try images --store "$store" --rootfs -q
  expect_eq "$(wc -l <"$dir/out")" 4 archives:
  try images --store "$store" --rootfs --verify
  expect_status 0
  expect_eq "$(find "$store/rootfs/blobs" -type f | wc -l)" 3 "one file, its manifest, their configuration:"
  try df --store "$store" --cache "$dir/cache" --json
  expect_eq "$(jq .rootfs.count "$dir/out")" 4 "df counts"
  try rmi --store "$store" --rootfs "$name"
  expect_status 0
  try images --store "$store" --rootfs -q
  expect_eq "$(wc -l <"$dir/out")" 3 archives:
}

# refused VERB… WORDS: one line that has them, and nothing in the store.
refused() {
  local words=${*: -1} left
  serve
  try "${@:1:$#-1}" --store "$store" -q "$registry/owner/artifact:1"
  unserve
  expect_status 1
  expect_one_line_error "$words"
  left=$(find "$store" -path '*/blobs/sha256/*' -type f -newer "$layout/index.json" | wc -l)
  try prune --store "$store" --cache "$dir/cache"
  expect_status 0
  left=$(find "$store" -path '*/blobs/sha256/*' -type f | wc -l)
  expect_eq "$left" 0 "$words: files left"
}

case_bad_kernels() {
  echo text >"$dir/kernel"
  cp "$dir/kernel" "$dir/other"
  image_of "$dir/kernel"
  refused kernel pull "not an ELF file"
  image_of "$dir/other"
  refused kernel pull "no file /kernel"
  : >"$dir/kernel"
  image_of "$dir/kernel"
  refused kernel pull "/kernel is empty"
  image_of
  mkdir "$dir/unpacked/rootfs/kernel"
  umoci repack --image "$layout:base" "$dir/unpacked" >"$dir/umoci.log" 2>&1
  refused kernel pull "/kernel is no regular file"
  make_kernel "$dir/kernel" "nothing known"
  image_of "$dir/kernel"
  refused kernel pull "no Unikraft-for-Hyperlight kernel"
  make_kernel "$dir/kernel"
  truncate -s 100 "$dir/kernel"
  image_of "$dir/kernel"
  refused kernel pull "ELF file"
  artifact_of application/octet-stream "$dir/kernel"
  refused kernel pull "published as images"
}

case_bad_rootfs_artifacts() {
  make_archive
  seq 1000 >"$dir/text"
  image_of "$dir/text"
  refused pull --rootfs "neither /initrd.cpio nor /rootfs.cpio"
  artifact_of application/x-cpio "$dir/initrd.cpio" application/x-cpio "$dir/text"
  refused pull --rootfs "has 2 layers"
  artifact_of application/vnd.cncf.helm.chart.content.v1.tar+gzip "$dir/initrd.cpio"
  refused pull --rootfs "unknown type"
  artifact_of application/x-cpio+encrypted "$dir/text"
  refused pull --rootfs "not a newc CPIO archive"
  head -c 1000 "$dir/initrd.cpio" >"$dir/cut.cpio"
  artifact_of application/x-cpio "$dir/cut.cpio"
  refused pull --rootfs "truncated"
  gzip <"$dir/initrd.cpio" | head -c 100 >"$dir/cut.gz"
  artifact_of application/x-cpio "$dir/cut.gz"
  refused pull --rootfs "unpacked"
  command -v xz >/dev/null || skip_case "no xz"
  xz <"$dir/initrd.cpio" >"$dir/initrd.xz"
  artifact_of application/x-cpio "$dir/initrd.xz"
  refused pull --rootfs "compressed archive"
}

case_boot_says_what_it_looked_for() {
  make_kernel "$dir/kernel"
  image_of "$dir/kernel"
  local asked
  for asked in nosuch 127.0.0.1:1/nosuch:1; do
    try boot --store "$store" --pull never "$asked"
    expect_status 1
    expect_one_line_error "$asked: no such file" 'runhl kernel pull'
  done
  try boot --store "$store"
  expect_status 1
  expect_one_line_error "no KERNEL"
  try boot --store "$store" "$dir/kernel" --initrd nosuch -- /bin/x
  expect_status 1
  expect_one_line_error "nosuch: no such file" 'runhl pull --rootfs'
  # A word that names no registry asks none.
  try boot --store "$store" nosuch
  expect_one_line_error "docker.io/library/nosuch:latest is not in the store"
  kernel nosuch
  expect_status 1
  expect_one_line_error nosuch
}
