# SPDX-License-Identifier: Apache-2.0
# Kernels and archives as upstream publishes them, in Debian's registry. Source it; $work is a
# directory of the caller's.
#
#   registry_tools || skip …            prints what is missing
#   registry_start                      sets $registry (HOST:PORT) and $registry_pid
#   push_file FILE NAME REPOSITORY      an image that holds nothing else

registry_tools() {
  local tool
  for tool in umoci skopeo docker-registry; do
    command -v "$tool" >/dev/null || { echo "no $tool" && return 1; }
  done
}

registry_start() {
  printf 'version: 0.1\nstorage: {filesystem: {rootdirectory: %s}}\nhttp: {addr: "127.0.0.1:0"}\n' "$work/registry" >"$work/registry.yml"
  docker-registry serve "$work/registry.yml" </dev/null >"$work/registry.log" 2>&1 &
  registry_pid=$!
  for _ in $(seq 100); do grep -q 'listening on' "$work/registry.log" && break || sleep 0.1; done
  registry=$(sed -n 's/.*listening on \([0-9.:]*\).*/\1/p' "$work/registry.log" | head -n 1)
  [ -e "$work/layout" ] || umoci init --layout "$work/layout"
}

push_file() {
  local layout=$work/layout
  umoci new --image "$layout:$2" && umoci unpack --rootless --image "$layout:$2" "$work/unpacked-$2" &&
    cp "$1" "$work/unpacked-$2/rootfs/$2" && umoci repack --image "$layout:$2" "$work/unpacked-$2" &&
    skopeo copy -q --dest-tls-verify=false "oci:$layout:$2" "docker://$registry/$3"
}
