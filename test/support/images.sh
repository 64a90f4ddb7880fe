# SPDX-License-Identifier: Apache-2.0
# Images for the end-to-end cases: umoci makes them, in $layout; $store and $cache are the case's own.

needs_umoci() {
  only runhl "it has images"
  needs_root
  command -v umoci >/dev/null || skip_case "no umoci"
}

# A layout with the image `base`: busybox and the accounts of the tests' rootfs.
make_image() {
  layout=$dir/layout store=$dir/store cache=$dir/cache
  umoci init --layout "$layout" && umoci new --image "$layout:base" &&
    umoci unpack --image "$layout:base" "$dir/unpacked" >"$dir/umoci.log" 2>&1 || fail "umoci: $(cat "$dir/umoci.log")"
  cp -a "$e2e_dir/rootfs/." "$dir/unpacked/rootfs/"
  chmod 755 "$dir/unpacked/rootfs"
  layer
}

# What was changed in $dir/unpacked/rootfs becomes a layer.
layer() {
  umoci repack --refresh-bundle --image "$layout:base" "$dir/unpacked" >"$dir/umoci.log" 2>&1 || fail "umoci: $(cat "$dir/umoci.log")"
}

config_image() { umoci config --image "$layout:base" "$@" || fail "umoci config $*"; }

load_image() { try load --store "$store" "oci:$layout:base" "${1:-test/base}"; }

run_image() { try run --store "$store" --cache "$cache" "$@"; }
