#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs what is missing of apt-packages.txt; quiet, and no apt call at all when nothing is.
#   install-packages.sh [build]      build: what packaging/install.sh needs, without the tests' part
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

missing=()
while read -r package rest; do
  if [ "${1:-all}" = build ] && [[ $package = '#' && $rest = 'section test'* ]]; then break; fi
  case $package in '' | '#'*) continue ;; esac
  state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) || state=none
  [ "$state" = installed ] || missing+=("$package")
done <"$here/apt-packages.txt"
[ ${#missing[@]} -gt 0 ] || exit 0

if [ "$(id -u)" -ne 0 ]; then
  echo "install-packages.sh: not root, and missing: ${missing[*]}" >&2
  exit 1
fi
echo "installing: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
trap 'rm -f "$log"' EXIT

install_missing() {
  # policy-rc.d: packages of daemons must not start them; tests start their own.
  apt-get install -y -qq --no-install-recommends -o Dpkg::Use-Pty=0 "${missing[@]}" >"$log" 2>&1 </dev/null
}

policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod +x "$policy"
  trap 'rm -f "$log" "$policy"' EXIT
fi
# With fresh lists the first try is enough; a new machine has none, an old one has stale ones.
install_missing || { apt-get update -qq >"$log" 2>&1 && install_missing; } || {
  cat "$log" >&2
  echo "install-packages.sh: apt-get failed (above)" >&2
  exit 1
}
