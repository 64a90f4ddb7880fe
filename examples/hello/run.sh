#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# From a fresh Debian 12 to a program that runs on our own kernel: installs what is missing, builds
# a release, makes a bundle of Debian's busybox-static and runs it.
#   examples/hello/run.sh [COMMAND…]       (default: uname -a, then a checksum of a file)
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
cd "$top"
packaging/install.sh --prefix build/installed
runhl=$top/build/installed/bin/runhl

bundle=$(mktemp -d /tmp/runhl-hello.XXXXXX)
id=hello-$$
trap '"$runhl" --root "$bundle/state" delete --force "$id" 2>/dev/null; rm -rf "$bundle"' EXIT
bash test/support/make_rootfs.sh "$bundle/rootfs"
echo "a file of the container's root file system" >"$bundle/rootfs/hello.txt"
limits='.'
[ "$(id -u)" -eq 0 ] || limits='del(.linux.resources)'  # an ordinary user has no cgroup

run() {
  printf '%s\1' "$@" | jq -Rsc 'split("\u0001")[:-1]' >"$bundle/args"
  jq --slurpfile args "$bundle/args" ".process.args = \$args[0] | .hostname = \"hello\" | $limits" \
    test/support/config.json >"$bundle/config.json"
  echo "--- runhl run --bundle $bundle $id        ($*)"
  "$runhl" --root "$bundle/state" run --bundle "$bundle" "$id"
}
if [ $# -gt 0 ]; then
  run "$@"
else
  run uname -a
  run sha256sum /hello.txt
fi
echo "--- on the host: $(uname -sr); $(sha256sum <"$bundle/rootfs/hello.txt")"
isolation=$("$runhl" features | jq -r '.annotations["dev.runhl.isolation"] | split(",")[0]')
echo "--- isolation: $isolation (a guest kernel of its own, in host processes confined by seccomp; no virtual machine)"
