#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The root file system of the upstream cases as a plain newc CPIO: programs/*.c as static-PIE, one
# that is not PIE, links, a text.
#   make_archive.sh FILE
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
file=$(realpath -m "${1:?usage: make_archive.sh FILE}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/bin" "$work/tmp" "$work/etc"
for source in "$here"/programs/*.c; do
  gcc -O1 -static-pie -o "$work/bin/$(basename "$source" .c)" "$source"
done
gcc -O1 -static -no-pie -o "$work/bin/not-pie" "$here/programs/hello.c"
echo "a text" >"$work/etc/text"
ln -s ../bin/hello "$work/etc/link"
ln -s /bin "$work/sbin"
cd "$work"
find . -mindepth 1 | sed 's#^\./##' | sort | cpio -o -H newc -R 0:0 --quiet >"$file"
