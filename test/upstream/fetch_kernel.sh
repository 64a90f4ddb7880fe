#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Prints the path of an unmodified upstream kernel, out of cargo's own cache, where `cargo info` puts
# it (cargo 1.82 or newer: Debian 12's cargo-web). The digest is checked; nothing is kept here.
#   fetch_kernel.sh VERSION         0.17.0 (generation G2) or 0.18.0 … 0.20.1 (G3)
# Exit status 3: it cannot be had on this machine; why is on stderr.
set -uo pipefail
version=${1:?usage: fetch_kernel.sh VERSION}
case $version in
  0.17.0) digest=485adb2bab362516e63b450410dd482be12bdcea6d525967e8c0191a1d1c3ec6 ;;
  0.18.0) digest=2f2c115b19d919ba3ab654a18a34284360eb296e0f2fb7ebcc512d172f3f92e7 ;;
  0.19.1) digest=ec3c84219e69e7385f1b12b9ba987cbc0ba49e58ec65e9e8284095008a3ba45a ;;
  0.20.1) digest=c191aeb42ec182a667e50da2b5ab77727ef2a0cc7157698431362614efd45f68 ;;
  *) echo "fetch_kernel: no digest of $version" >&2 && exit 2 ;;
esac

find_it() {
  local file
  for file in "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*/"hyperlight-unikraft-$version"/kernel/elfloader_hyperlight-x86_64; do
    [ -f "$file" ] && [ "$(sha256sum <"$file")" = "$digest  -" ] && echo "$file" && return 0
  done
  return 1
}

find_it && exit 0
command -v cargo >/dev/null || { echo "no cargo to fetch upstream kernels with" >&2 && exit 3; }
said=$(cd / && timeout 120 cargo info -q "hyperlight-unikraft@$version" 2>&1 >/dev/null)
find_it && exit 0
echo "cargo could not fetch hyperlight-unikraft $version: ${said%%$'\n'*}" >&2
exit 3
