#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The guest's programs as static-PIE in a plain newc CPIO.
#   make_archive.sh FILE
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
file=$(realpath -m "${1:?usage: make_archive.sh FILE}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/bin"
for program in shop greet; do
  gcc -std=gnu11 -Wall -Wextra -Werror -O1 -static-pie -o "$work/bin/$program" "$here/$program.c"
done
cd "$work"
find . -mindepth 1 | sed 's#^\./##' | sort | cpio -o -H newc -R 0:0 --quiet >"$file"
