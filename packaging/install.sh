#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds a release and installs bin/runhl, bin/hyperlight-unikraft and libexec/runhl/…, and the VMM
# as a library (headers, lib/librunhl_vmm.a, a CMake package): the only recipe there is.
#   packaging/install.sh [--prefix DIR]      DIR: /usr/local when not given
# Installs missing build packages first (root only). Registering with docker or containerd is a
# person's decision: packaging/daemon.json and packaging/containerd.toml are the entries.
set -euo pipefail
top=$(cd "$(dirname "$0")/.." && pwd)
prefix=/usr/local
while [ $# -gt 0 ]; do
  case $1 in
    --prefix) prefix=${2:?--prefix needs a directory} && shift 2 ;;
    --prefix=*) prefix=${1#*=} && shift ;;
    *) echo "usage: packaging/install.sh [--prefix DIR]" >&2 && exit 2 ;;
  esac
done

"$top/packaging/install-packages.sh" build
cd "$top"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! { cmake --preset release && cmake --build --preset release --target runhl_product; } >"$log" 2>&1; then
  tail -n 40 "$log" >&2
  echo "install.sh: the release build failed (above)" >&2
  exit 1
fi
grep -h '^-- runhl-emu is left out' "$log" || true  # `runhl boot` does not work then
# Installed under a temporary name and renamed: a container that is being started sees the old
# binary or the new one, never half of it. Written in one piece: a page cache that can keeps it in
# large folios, and a start has fewer page faults.
install_one() {
  install -D -m 755 /dev/null "$2.new"
  dd if="$1" of="$2.new" bs=64M iflag=fullblock conv=notrunc status=none
  mv -f "$2.new" "$2"
  echo "installed $2"
}
install_one build/release/src/runhl "$prefix/bin/runhl"
for helper in build/release/libexec/*; do
  if [ -x "$helper" ]; then
    install_one "$helper" "$prefix/libexec/runhl/$(basename "$helper")"
  fi
done
# `runhl boot` by the name and with the command line of upstream's program for kernels of G1.
ln -sfn ../libexec/runhl/runhl-boot "$prefix/bin/hyperlight-unikraft"
echo "installed $prefix/bin/hyperlight-unikraft"
cmake --install build/release --component development --prefix "$prefix" >"$log"
echo "installed $prefix/lib/librunhl_vmm.a, $prefix/include/runhl, $prefix/lib/cmake/runhl"
