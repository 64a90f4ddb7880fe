#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# CPython 3.11 out of this machine's Debian packages (libpython3.11, libpython3.11-stdlib) as an
# archive for upstream kernels. Debian's own /usr/bin/python3.11 is no PIE, which they do not load:
# the program here is two lines around the same library.
#   make_python.sh FILE
set -euo pipefail
file=$(realpath -m "${1:?usage: make_python.sh FILE}")
library=/usr/lib/x86_64-linux-gnu/libpython3.11.so.1.0
[ -e $library ] || { echo "make_python: no $library (apt-get install libpython3.11)" >&2 && exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/root/usr/bin" "$work/root/usr/lib" "$work/root/tmp" "$work/root/etc"
cd "$work/root"
printf 'int Py_BytesMain(int, char **);\nint main(int argc, char **argv) { return Py_BytesMain(argc, argv); }\n' |
  gcc -x c -O1 -pie -o usr/bin/python3 - -x none $library
{
  ldd usr/bin/python3 | grep -o '/[^ ]*'
  echo $library
} | sort -u | while read -r needed; do
  mkdir -p "./$(dirname "$needed")"
  cp -L "$needed" "./$needed"
done
tar -C /usr/lib --exclude=__pycache__ --exclude=test --exclude=idlelib --exclude=lib2to3 \
  --exclude='config-*' --exclude=dist-packages -cf - python3.11 | tar -C usr/lib -xf -
find . -mindepth 1 | sed 's#^\./##' | sort | cpio -o -H newc -R 0:0 --quiet >"$file"
