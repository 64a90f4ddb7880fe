# SPDX-License-Identifier: Apache-2.0
# runhl pull: Debian's docker-registry on the loopback device, and one of the tests' own that imitates
# GHCR and fails in the ways that registries do.

. "$RUNHL_TOP/test/support/images.sh"

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

pull() { try pull --store "$store" "$@"; }

# An image with a layer that is worth a second connection.
make_large_image() {
  make_image
  head -c 3000000 /dev/urandom >"$dir/unpacked/rootfs/random"
  layer
  config_image --config.cmd /bin/echo --config.cmd pulled
}

case_pulls_and_runs_from_debians_registry() {
  needs_umoci
  command -v docker-registry >/dev/null || skip_case "no docker-registry"
  command -v skopeo >/dev/null || skip_case "no skopeo"
  make_large_image
  printf 'version: 0.1\nstorage: {filesystem: {rootdirectory: %s}}\nhttp: {addr: "127.0.0.1:0"}\n' "$dir/registry" >"$dir/registry.yml"
  docker-registry serve "$dir/registry.yml" </dev/null >"$dir/registry.log" 2>&1 &
  trap 'kill $! 2>/dev/null' EXIT
  wait_until grep -q 'listening on' "$dir/registry.log"
  local at
  at=$(sed -n 's/.*listening on \([0-9.:]*\).*/\1/p' "$dir/registry.log" | head -n 1)
  skopeo copy -q --dest-tls-verify=false "oci:$layout:base" "docker://$at/test/large:1" || fail "skopeo cannot push"
  pull "$at/test/large:1"
  expect_status 0
  expect_in out ": done, "
  run_image "$at/test/large:1"
  expect_out pulled
  pull -q "$at/test/large:1"
  expect_out "$at/test/large:1 $(jq -r '.manifests[0].digest' "$layout/index.json")"
  pull "$at/test/missing:1"
  expect_status 1
  expect_one_line_error "$at/test/missing:1" 'is not there'
}

case_tokens_and_signed_addresses() {
  needs_umoci
  make_large_image
  serve
  pull "$registry/owner/image:tag"
  expect_status 0
  grep -q LEAK "$dir/requests" && fail "another host was told who we are"
  expect_in requests "/token?"
  run_image "$registry/owner/image:tag"
  expect_out pulled
  cp "$dir/requests" "$dir/before"
  pull --json "$registry/owner/image:tag"
  expect_status 0
  expect_eq "$(jq -rs '[.[] | select(.state == "present")] | length' "$dir/out")" 2 "layers that were there:"
  expect_eq "$(grep -c storage "$dir/requests")" "$(grep -c storage "$dir/before")" "blobs fetched again:"
}

case_a_cut_connection_goes_on() {
  needs_umoci
  make_large_image
  serve closing
  pull "$registry/owner/image:tag"
  expect_status 0
  expect_in requests " range"
  unserve
  store=$dir/second
  serve no-range
  pull "$registry/owner/image:tag"
  expect_status 0
  try images --store "$store" --verify
  expect_status 0
}

case_a_busy_registry_is_asked_again() {
  needs_umoci
  make_image
  serve busy
  pull "$registry/owner/image:tag"
  expect_status 0
}

# Each fault: one line with these words, exit code 1, and a store that has nothing of it by name.
case_faults_are_named() {
  needs_umoci
  make_large_image
  local fault words
  while IFS='|' read -r fault words; do
    serve "$fault"
    pull "$registry/owner/image:tag"
    expect_eq "$status" 1 "$fault: status"
    expect_one_line_error "$words"
    try images --store "$store" -q
    expect_out ""
    try images --store "$store" --verify
    expect_status 0
    unserve
  done <<'FAULTS'
other-content|came with other content
longer|came with more than the
html|invalid
to-file|redirects from http to file
to-ftp|redirects from http to ftp
for-ever|redirects without end
loop401|is not for us
FAULTS
}

case_killed_pulls_complete_later() {
  needs_umoci
  make_large_image
  serve
  local delay
  for delay in .01 .03 .06 .1; do
    rt pull --store "$store" "$registry/owner/image:tag" >/dev/null 2>&1 </dev/null &
    local one=$!
    rt pull --store "$store" "$registry/owner/image:other" >/dev/null 2>&1 </dev/null &
    sleep "$delay"
    kill -KILL "$one" 2>/dev/null
    sleep "$delay"
    kill -KILL $! 2>/dev/null
    wait "$one" $! 2>/dev/null
    try images --store "$store" --verify
    expect_status 0
  done
  pull "$registry/owner/image:tag"
  expect_status 0
  try images --store "$store" --verify
  expect_status 0
}

case_credentials_stay_with_their_registry() {
  needs_umoci
  make_image
  mkdir -p "$dir/docker" "$dir/bin"
  printf '#!/bin/sh\nsleep 1000\n' >"$dir/bin/docker-credential-hangs"
  chmod 755 "$dir/bin/docker-credential-hangs"
  serve
  echo "{\"credHelpers\":{\"$registry\":\"hangs\"}}" >"$dir/docker/config.json"
  DOCKER_CONFIG=$dir/docker PATH=$dir/bin:$PATH pull "$registry/owner/image:tag"
  expect_status 1
  expect_one_line_error docker-credential-hangs 'did not answer'
  echo "{\"auths\":{\"$registry\":{\"auth\":\"$(printf 'me:secret' | base64)\"}}}" >"$dir/docker/config.json"
  DOCKER_CONFIG=$dir/docker pull "$registry/owner/image:tag"
  expect_status 0
  grep -q LEAK "$dir/requests" && fail "another host was told who we are"
  return 0
}
