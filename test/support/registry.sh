# SPDX-License-Identifier: Apache-2.0
# Registries for the end-to-end cases: one of the tests' own and Debian's, with the image of $layout.

# serve [FAULT]: the tests' own registry, with the image of $layout; $registry is its address.
serve() {
  command -v python3 >/dev/null || skip_case "no python3"
  rm -f "$dir/requests"
  python3 "$RUNHL_TOP/test/support/fake_registry.py" "$layout" "$dir/requests" "$@" </dev/null >"$dir/registry.log" 2>&1 &
  registry_pid=$!
  trap 'kill "$registry_pid" 2>/dev/null' EXIT
  wait_until [ -s "$dir/requests" ]
  registry=$(head -n 1 "$dir/requests")
}

unserve() {
  kill "$registry_pid"
  wait "$registry_pid" 2>/dev/null || true
}

pull() { try pull --store "$store" --cache "$cache" "$@"; }

# debians_registry [CONFIG_OF_HTTP]: Debian's docker-registry; $registry is its address. $auth may have
# its configuration of passwords.
debians_registry() {
  command -v docker-registry >/dev/null || skip_case "no docker-registry"
  printf 'version: 0.1\nstorage: {filesystem: {rootdirectory: %s}}\nhttp: {addr: "127.0.0.1:0"%s}\n%s\n' \
    "$dir/registry" "${1:+, $1}" "${auth:-}" >"$dir/registry.yml"
  rm -f "$dir/registry.log"  # of one before
  docker-registry serve "$dir/registry.yml" </dev/null >"$dir/registry.log" 2>&1 &
  registry_pid=$!
  trap 'kill "$registry_pid" 2>/dev/null' EXIT
  wait_until grep -q 'listening on' "$dir/registry.log"
  registry=$(sed -n 's/.*listening on \([0-9.:]*\).*/\1/p' "$dir/registry.log" | head -n 1)
}

# skopeo_push NAME [OPTION…]: the image of $layout into $registry.
skopeo_push() {
  command -v skopeo >/dev/null || skip_case "no skopeo"
  local name=$1
  shift
  skopeo copy -q --dest-tls-verify=false "$@" "oci:$layout:base" "docker://$registry/$name" || fail "skopeo cannot push"
}
